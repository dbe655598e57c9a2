// Symbols that the linker defines for the runtime and that hosts look up in a linked image, as data. Knows no address.

/** Defined by the linker; all absolute addresses or plain numbers. */
export const LinkerSymbol = {
  /** Word-aligned bounds of the zero-initialised data (linear memories excluded: boot clears those itself). */
  BssStart: '__bss_start',
  BssEnd: '__bss_end',
  /** Highest address (16-aligned) of the stack that boot code, compiled code and runtime functions share. */
  WasmStackTop: '__wasm_stack_top',
  /** Lowest address of that stack; `<mod>$stack_limit` lies STACK_RESERVE_BYTES or more above it. */
  WasmStackBottom: '__wasm_stack_bottom',
  /**
   * Distance in bytes from a stack address to its place in the shadow stack (`--cfi full`): compiled code keeps return
   * addresses there a second time. Only defined when something refers to it.
   */
  ShadowDisplacement: '__wasm_shadow_disp',
  /** Highest address (16-aligned) of the exception stack. */
  ExceptionStackTop: '__exception_stack_top',
  /** Array of `const struct wasm_module *`, in instantiation order. */
  ModulesStart: '__wasm_modules_start',
  ModulesEnd: '__wasm_modules_end',
  /** Flash windows: 64 KiB-aligned address, number of the first 64 KiB flash page, pages (0: nothing mapped). */
  IromVaddr: '__irom_vaddr',
  IromFlashPage: '__irom_flash_page',
  IromPageCount: '__irom_page_count',
  DromVaddr: '__drom_vaddr',
  DromFlashPage: '__drom_flash_page',
  DromPageCount: '__drom_page_count',
  /** Hash of the addresses that packages are linked against; only in images with slots. */
  BaseId: '__ts_base_id',
  /** Bytes of internal RAM below the slots that nothing has been placed in; only in images of the device OS. */
  FreeRam: '__ts_free_ram',
} as const;

/** Stack below `<mod>$stack_limit` for runtime functions written in C, in bytes. */
export const STACK_RESERVE_BYTES = 512;
/** Stack of the exception handler: frame, backtrace walk, report. */
export const EXCEPTION_STACK_BYTES = 1024;

/** Defined by the runtime; a host or the linker looks them up. */
export const RuntimeSymbol = {
  /** Image entry: what the mask ROM jumps to. */
  Entry: 'rt_start',
  /** Section `.vectors` begins with this; must lie at VECBASE, 0x40080000 (1 KiB-aligned). */
  Vectors: 'rt_vectors',
  Mailbox: 'rt_mailbox',
  RunMailbox: 'rt_run_mailbox',
  /** The processor waits here when there is nothing to do. */
  Idle: 'rt_idle',
  ArgumentBuffer: '__wasm_argbuf',
  /** Optional data (weak default in the runtime): struct rt_strings of WASI arguments and environment. */
  Arguments: 'rt_wasi_arguments',
  Environment: 'rt_wasi_environment',
} as const;

/** Section of the exception vectors in the runtime's objects. */
export const VECTORS_SECTION = '.vectors';
/** Section of the module pointers in compiled objects. */
export const MODULES_SECTION = '.wasm_modules';
