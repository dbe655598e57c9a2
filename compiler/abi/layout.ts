// Memory layouts shared by compiled code, C runtime and host, as data: fields with offsets and sizes (D14). Takes
// nothing; gives layouts and their offsets; knows no symbol, no section and no value.

/** Scalar kinds of a field. `ptr` and `u32` are both one word. */
export type FieldKind = 'u8' | 'u16' | 'i16' | 'u32' | 'ptr';

const FIELD_BYTES: Readonly<Record<FieldKind, number>> = { u8: 1, u16: 2, i16: 2, u32: 4, ptr: 4 };

export interface FieldSpec {
  readonly kind: FieldKind | Layout;
  /** C type of the (element of the) field; for `ptr` with the stars. */
  readonly c: string;
  /** Number of elements if the field is an array. */
  readonly count?: number;
  readonly doc?: string;
}

export interface Field extends FieldSpec {
  readonly name: string;
  readonly offset: number;
  /** Bytes of the whole field, all elements. */
  readonly size: number;
}

/** A C struct. */
export interface Layout<Name extends string = string> {
  readonly name: string;
  readonly doc: string;
  readonly fields: readonly Field[];
  /** Bytes, a multiple of 4. */
  readonly size: number;
  /** Byte offset of each field. */
  readonly offset: Readonly<Record<Name, number>>;
}

export function layout<Name extends string>(name: string, doc: string, specs: Record<Name, FieldSpec>): Layout<Name> {
  const fields: Field[] = [];
  const offsets = {} as Record<Name, number>;
  let at = 0;
  let alignment = 4;
  for (const key of Object.keys(specs) as Name[]) {
    const spec = specs[key];
    const bytes = typeof spec.kind === 'string' ? FIELD_BYTES[spec.kind] : spec.kind.size;
    const align = typeof spec.kind === 'string' ? bytes : 4;
    alignment = Math.max(alignment, align);
    at = Math.ceil(at / align) * align;
    const size = bytes * (spec.count ?? 1);
    fields.push({ ...spec, name: key, offset: at, size });
    offsets[key] = at;
    at += size;
  }
  return { name, doc, fields, size: Math.ceil(at / alignment) * alignment, offset: offsets };
}

export const u32 = (doc?: string): FieldSpec => ({ kind: 'u32', c: 'uint32_t', ...(doc === undefined ? {} : { doc }) });
export const ptr = (c: string, doc?: string): FieldSpec => ({ kind: 'ptr', c, ...(doc === undefined ? {} : { doc }) });

/** Bumped when any layout here or any rule of the calling convention changes; objects of another version are refused. */
export const ABI_VERSION = 2;

/** Words of `__wasm_argbuf`, the buffer of argument words from the 7th and result words from the 5th on. */
export const ARGUMENT_BUFFER_WORDS = 256;
/** Words an invocation passes in registers a2..a7, and gets back in a2..a5. */
export const REGISTER_ARGUMENTS = 6;
export const REGISTER_RESULTS = 4;

export const WASM_MEMORY = layout('wasm_memory', 'A linear memory. Its bytes never move; growth happens in place.', {
  base: ptr('uint8_t *'),
  bytes: u32('accessible bytes; 4 GiB (65536 pages) cannot occur on a 32-bit chip'),
  pages: u32('size in Wasm pages'),
  max_pages: u32('declared maximum, 65536 (page_shift 16) or 0xffffffff if there is none'),
  capacity_bytes: u32('bytes that the linker reserved at base; growth ends there'),
  page_shift: u32('log2 of the page size: 16, or 0 with custom page sizes'),
});

export const WASM_TABLE = layout('wasm_table', 'A table of references.', {
  elems: ptr('uint32_t *'),
  size: u32('entries'),
  max: u32('declared maximum, 0xffffffff if there is none'),
  capacity: u32('entries that the linker reserved at elems; growth ends there'),
});

export const WASM_SEGMENT = layout(
  'wasm_segment',
  'A data segment (bytes) or an element segment (32-bit references).',
  {
    data: ptr('const void *'),
    length: u32('bytes or entries; 0 when dropped'),
  },
);

export const WASM_EXPORT = layout('wasm_export', 'An exported function.', {
  name: ptr('const char *', 'zero-terminated UTF-8'),
  signature: ptr('const char *', 'canonical signature text, e.g. "iI:f"'),
  code: u32('address of the first instruction'),
});

export const WASM_FUNC_INFO = layout('wasm_func_info', 'What a backtrace needs of one compiled function.', {
  start: u32('address of the first instruction'),
  func_index: u32('function index of the module, imports included; 0xffffffff for $init and thunks'),
  frame_words: {
    kind: 'u16',
    c: 'uint16_t',
    doc: 'words the prologue subtracts from SP; a StackOverflow trap comes after that, with the return address in a0',
  },
  frame_start: {
    kind: 'u16',
    c: 'uint16_t',
    doc: 'code bytes before the prologue, without a frame; from there on the return address is at SP. WASM_FRAME_START_LEAF: it stays in a0',
  },
});

/** `frame_start` of a function that calls nothing; its frame is there from its first instruction on. */
export const FRAME_START_LEAF = 0xffff;

export const WASM_SITE = layout('wasm_site', 'A place in code that can trap, or a return address.', {
  pc: u32('of the trapping instruction; for SITE_CALL the return address'),
  code_and_offset: u32('code << 27 | byte offset in the .wasm'),
});

export const WASM_INLINED = layout('wasm_inlined', 'A function whose body was copied to where it was called from.', {
  pc: u32('of a site in the copy; entries of one pc lead from the innermost function outwards'),
  func_index: u32('function that the code was written in'),
  call_offset: u32('byte offset in the .wasm of the call that the copy replaced, in the next function outwards'),
  name: ptr('const char *', 'null without names'),
});

export const SITE_CODE_SHIFT = 27;
export const SITE_OFFSET_MASK = 0x07ffffff;

/**
 * One module. The struct is `<mod>$module` in read-only data; section `.wasm_modules` of the object holds one word, its
 * address, and the linker puts those words side by side between `__wasm_modules_start` and `__wasm_modules_end`, in
 * instantiation order.
 */
export const WASM_MODULE = layout('wasm_module', 'A linked module.', {
  abi_version: u32(),
  name: ptr('const char *'),
  init: u32('address of $init: globals, active segments, start function; 0 if there is nothing to do'),
  exports: ptr('const struct wasm_export *'),
  export_count: u32(),
  funcs: ptr('const struct wasm_func_info *', 'sorted by start'),
  func_count: u32(),
  code_end: u32('first address after the last function'),
  sites: ptr('const struct wasm_site *', 'sorted by pc'),
  site_count: u32(),
  func_names: ptr('const char *const *', 'parallel to funcs, entries may be null; null without names'),
  stack_limit: u32('lowest allowed SP of compiled code'),
  memories: ptr('struct wasm_memory *const *', 'in index order, imported ones included'),
  memory_count: u32(),
  inlined: ptr('const struct wasm_inlined *', 'sorted by pc'),
  inlined_count: u32(),
});

/** Frames kept of a backtrace, innermost first. */
export const BACKTRACE_FRAMES = 32;

export const WASM_FRAME = layout('wasm_frame', 'One frame of a Wasm backtrace.', {
  pc: u32(),
  func_index: u32(),
  wasm_offset: u32('byte offset in the .wasm; 0 if unknown'),
  module: ptr('const struct wasm_module *'),
});

/** Registers of the machine at an exception, as the vector code saves them. */
export const EXCEPTION_FRAME = layout('exception_frame', 'Processor state at an exception.', {
  a: { ...u32(), count: 16 },
  pc: u32(),
  ps: u32(),
  sar: u32(),
  lbeg: u32(),
  lend: u32(),
  lcount: u32(),
  cause: u32('EXCCAUSE'),
  vaddr: u32('EXCVADDR'),
});

export const WASM_STOP = layout('wasm_stop', 'How and where an invocation ended.', {
  reason: u32('StopReason'),
  trap_code: u32('TrapCode if reason is Trapped'),
  pc: u32('of the trapping or interrupted instruction'),
  exit_code: u32('of proc_exit'),
  cause: u32('EXCCAUSE of a machine exception'),
  vaddr: u32('EXCVADDR of a machine exception'),
  backtrace_count: u32(),
  backtrace_cut: u32('1 if there were more frames than fit'),
  backtrace: { kind: WASM_FRAME, c: 'struct wasm_frame', count: BACKTRACE_FRAMES },
});

export const RT_STRINGS = layout('rt_strings', 'WASI arguments or environment, linked into the image.', {
  count: u32('zero-terminated strings'),
  bytes: u32('of all of them, with their zeros'),
  text: ptr('const char *'),
});

/** Argument and result words of one mailbox invocation. */
export const MAILBOX_WORDS = 64;

export const MailboxState = {
  /** Boot has not reached the end of instantiation. */
  Booting: 0,
  /** Modules are instantiated (or one failed: see stop), `_start` has ended if there was one; waiting in rt_idle. */
  Idle: 1,
  /** A mailbox invocation, `_start` or an instantiation is running. */
  Running: 2,
} as const;

/**
 * How a host (simulator, debugger) runs a function: stop in `rt_idle`, fill `entry`, arguments, `result_count` and
 * `budget`, set pc to `rt_run_mailbox`, run until pc is `rt_idle` again, read `stop` and `results`.
 */
export const RT_MAILBOX = layout('rt_mailbox', 'Invocation mailbox and state of the runtime.', {
  state: u32('MailboxState'),
  entry: u32('code address to invoke'),
  arg_count: u32('words'),
  args: { ...u32(), count: MAILBOX_WORDS },
  result_count: u32('words'),
  results: { ...u32(), count: MAILBOX_WORDS },
  budget_low: u32('CPU cycles, 64 bits; 0 = no deadline'),
  budget_high: u32(),
  cycles_low: u32('CCOUNT difference over the last invocation, modulo 2^32'),
  stop: { kind: WASM_STOP, c: 'struct wasm_stop' },
  modules: ptr('const struct wasm_module *const *', 'modules known to the fault handler; a host may replace it'),
  module_count: u32(),
});

/** Every layout, inner ones before those that contain them. */
export const LAYOUTS: readonly Layout[] = [
  WASM_MEMORY,
  WASM_TABLE,
  WASM_SEGMENT,
  WASM_EXPORT,
  WASM_FUNC_INFO,
  WASM_SITE,
  WASM_INLINED,
  WASM_MODULE,
  WASM_FRAME,
  EXCEPTION_FRAME,
  WASM_STOP,
  RT_STRINGS,
  RT_MAILBOX,
];
