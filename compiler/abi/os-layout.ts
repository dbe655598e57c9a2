// Layouts of the operating system on the device, as data (D14): the read-only descriptors that the build generates from
// things.json and the kernel reads, and the codes both sides share. Takes nothing; knows no value and no symbol.
import { layout, type Layout, ptr, u32 } from './layout.js';

const u8 = (doc?: string) => ({ kind: 'u8', c: 'uint8_t', ...(doc === undefined ? {} : { doc }) }) as const;
const u16 = (doc?: string) => ({ kind: 'u16', c: 'uint16_t', ...(doc === undefined ? {} : { doc }) }) as const;

/** Bumped when a descriptor or a rule of the module interface changes; the kernel refuses modules of another version. */
export const OS_ABI_VERSION = 1;

/** CoAP request methods (RFC 7252, 12.1.1). */
export const Method = { Get: 1, Post: 2, Put: 3, Delete: 4 } as const;

/** Methods as manifests, HTTP and CoAP libraries write them. */
export type MethodName = 'GET' | 'POST' | 'PUT' | 'DELETE';

export const METHOD_NUMBERS: Readonly<Record<MethodName, number>> = {
  GET: Method.Get,
  POST: Method.Post,
  PUT: Method.Put,
  DELETE: Method.Delete,
};
/** The names, in the order of their numbers. */
export const METHOD_NAMES = Object.keys(METHOD_NUMBERS) as MethodName[];

/** Name of a method's number; undefined for one that is none. */
export function methodName(method: number): MethodName | undefined {
  return METHOD_NAMES.find((name) => METHOD_NUMBERS[name] === method);
}

/** Number of a name that came from outside; undefined for one that is none. */
export function methodNumber(name: string): number | undefined {
  const known = METHOD_NAMES.find((entry) => entry === name);
  return known === undefined ? undefined : METHOD_NUMBERS[known];
}

/** CoAP response codes, class << 5 | detail (RFC 7252, 12.1.2; 4.29 of RFC 8516). */
export const ResponseCode = {
  Created: 0x41,
  Deleted: 0x42,
  Valid: 0x43,
  Changed: 0x44,
  Content: 0x45,
  BadRequest: 0x80,
  Unauthorized: 0x81,
  BadOption: 0x82,
  Forbidden: 0x83,
  NotFound: 0x84,
  MethodNotAllowed: 0x85,
  NotAcceptable: 0x86,
  Conflict: 0x89,
  PreconditionFailed: 0x8c,
  RequestEntityTooLarge: 0x8d,
  UnsupportedContentFormat: 0x8f,
  TooManyRequests: 0x9d,
  InternalServerError: 0xa0,
  NotImplemented: 0xa1,
  BadGateway: 0xa2,
  ServiceUnavailable: 0xa3,
  GatewayTimeout: 0xa4,
} as const;

/**
 * Result word of a handler and of a request: response code << 24 | payload bytes. A handler may return a bare code
 * (below 256) for an empty payload.
 */
export const RESULT_CODE_SHIFT = 24;
export const RESULT_LENGTH_MASK = 0x00ffffff;

/** What a request or response payload must be. */
export const PayloadKind = { None: 0, Bytes: 1, Utf8: 2, Cbor: 3, Record: 4, Array: 5 } as const;

/** Scalars of records, little-endian, naturally aligned as in C. */
export const ScalarKind = {
  U8: 0,
  I8: 1,
  U16: 2,
  I16: 3,
  U32: 4,
  I32: 5,
  F32: 6,
  U64: 7,
  I64: 8,
  F64: 9,
  Bool: 10,
} as const;

/** What happens to a module after a fault. */
export const RestartPolicy = { Never: 0, OnFault: 1, Always: 2 } as const;

/** Rights of a grant. */
export const GrantRight = { Read: 1, Write: 2 } as const;

/** State of a module as `/sys/modules` shows it. */
export const ModuleState = {
  Empty: 0,
  Stopped: 1,
  Starting: 2,
  Running: 3,
  BackingOff: 4,
  Stopping: 5,
  Failed: 6,
  /** In a slot, without routes: waits until whoever moves it says how it goes on. */
  Held: 7,
} as const;

export const TS_FIELD = layout(
  'ts_field',
  'A scalar of a record that has a range. Unrestricted fields have no entry.',
  {
    offset: u16('bytes from the start of the record'),
    kind: u8('ScalarKind; 64-bit integers and f64 compare through 32-bit bounds'),
    count: u8('elements, from offset on; 0 counts as 1'),
    min: u32('lowest allowed value as i32, u32 or f32 bits by kind'),
    max: u32('highest allowed value, inclusive; NaN is never in range'),
  },
);

export const TS_TYPE = layout('ts_type', 'What a payload must be.', {
  kind: u8('PayloadKind'),
  field_count: u8(),
  element_bytes: u16('of a record, or of one element of an array (elements are records)'),
  min_bytes: u32(),
  max_bytes: u32(),
  fields: ptr('const struct ts_field *', 'of the record or of each element'),
});

export const TS_CONTRACT = layout('ts_contract', 'What a service promises and asks for.', {
  request: ptr('const struct ts_type *', 'null: no payload allowed'),
  response: ptr(
    'const struct ts_type *',
    'of 2.xx responses; null: no payload. Error responses may carry text up to 64 bytes',
  ),
  deadline_cycles: u32('CPU cycles that one invocation may take, nested calls included; never 0'),
  rate_per_second: u16('calls a second in the long run; 0: unlimited'),
  burst: u16('calls at once'),
  callers: ptr(
    'const char *const *',
    'who may call: MODULE, MODULE@THING, user:NAME, user:*; null: all that require it',
  ),
  caller_count: u16(),
  reserved: u16(),
});

export const TS_SERVICE = layout('ts_service', 'One method of one path that a module provides.', {
  path: ptr(
    'const char *',
    'pattern without leading slash, e.g. "log/{id}"; a segment in braces matches any one segment',
  ),
  handler: u32('code address; (payload, payload bytes, response, response capacity) -> result word'),
  contract: ptr('const struct ts_contract *'),
  attributes: ptr(
    'const char *',
    'link-format attributes (RFC 6690) after the path, e.g. ";rt=\\"temperature\\";obs"; "" if none',
  ),
  method: u8('Method'),
  observable: u8('1: can be observed (GET only)'),
  reserved: u16(),
});

export const TS_REQUIREMENT = layout('ts_requirement', 'A right to call, bound to a service at the first call.', {
  path: ptr('const char *', 'as in ts_service without braces; a last segment "*" covers everything below'),
  methods: u8('bit 1 << Method; thingspire.call uses the lowest one: entries for it have one method'),
  host: u8('0: this device; others are routed (remote IMC)'),
  deadline_ms: u16('longest time the caller waits for a remote answer; 0: default'),
});

export const TS_MODULE_INFO = layout('ts_module_info', 'A module as the build describes it; read-only.', {
  os_abi_version: u32('OS_ABI_VERSION'),
  wasm: ptr('const struct wasm_module *', 'null for modules written in C'),
  name: ptr('const char *'),
  version: ptr('const char *'),
  priority: u8('0 lowest to 3 highest'),
  restart: u8('RestartPolicy'),
  max_restarts: u16('in one hour, then Failed; 0: no limit'),
  backoff_ms: u32('before the first restart; doubles up to 64 times that, resets after a minute without fault'),
  stack_bottom: u32('own stack, 16-aligned; wasm->stack_limit lies 512 bytes above'),
  stack_top: u32(),
  data_start: u32('initialised RAM: copied from data_load at each start; word-aligned'),
  data_load: u32('word-aligned source in read-only memory (byte-addressable)'),
  data_bytes: u32(),
  bss_start: u32('zeroed at each start'),
  bss_bytes: u32(),
  services: ptr('const struct ts_service *'),
  service_count: u16(),
  requirement_count: u16(),
  requirements: ptr('const struct ts_requirement *'),
  start_deadline_cycles: u32('for $init, _initialize and on_start, each'),
  event_deadline_cycles: u32('for each on_timer and on_notify'),
  on_start: u32('code address of the export, 0 if there is none: () -> ()'),
  on_timer: u32('(timer id) -> ()'),
  on_notify: u32('(subscription, result word) -> ()'),
  manifest: ptr('const uint8_t *', 'CBOR of the manifest entry, as in the custom section "things"'),
  manifest_bytes: u32(),
  memory: ptr('struct wasm_memory *', 'memory 0, null if there is none'),
  memory_dirty: u32('reserved, 0'),
});

/** Most modules, drivers and system module included; module 0 is the kernel's own ("sys"). */
export const MAX_MODULES = 16;
export const MAX_PRIORITY = 3;
/** Slots for installed modules. */
export const MAX_SLOTS = 8;
/** Invocations in one chain of calls. */
export const CALL_DEPTH = 8;
/** At most what the kernel puts on a module’s stack before an event handler runs, in bytes. */
export const OS_FRAME_BYTES = 384;
/**
 * Words of the argument buffer (`__wasm_argbuf`) that modules of the device OS may use, i.e. functions have at most 22
 * parameter and 20 result words: a context switch saves them.
 */
export const OS_ARGUMENT_WORDS = 16;
/** Entries of a module's `requires`, timers of a module, subscriptions of a device, bytes of an observed URI. */
export const MAX_REQUIREMENTS = 32;
export const MODULE_TIMERS = 4;
export const MAX_SUBSCRIPTIONS = 12;
export const MAX_OBSERVED_URI = 48;

/** Made by the build; images without modules have none (the runtime refers to it weakly). Modules in start order. */
export const TS_BOOT_TABLE = layout('ts_boot_table', 'What the image starts with.', {
  kernel: ptr('const struct ts_kernel_hooks *', 'symbol ts_kernel_hooks: only images that name it contain the kernel'),
  count: u32('modules of the image; "sys" and "dev" are the kernel\'s own and not among them'),
  modules: ptr('const struct ts_module_info *const *'),
  slot_count: u32(),
  slots: ptr('const struct ts_slot *'),
  public_key: ptr('const uint8_t *', '32 bytes, Ed25519, of who may sign packages; null: nothing can be installed'),
  journal_flash: u32('flash offset of two 4 KiB sectors for the slot journal; 0: no slots'),
  sys: ptr(
    'const struct ts_module_info *',
    'ts_sys_info, or ts_sys_slots_info in images with slots: only they contain the installer',
  ),
  base_id: u32('identity of the addresses that packages are linked against; a package with another one is refused'),
  name: ptr('const char *', 'of the application'),
  version: ptr('const char *'),
  free_ram: u32('bytes of internal RAM that nothing has been placed in'),
  console_baud: u32('speed of UART0 from the start of the modules on; 0: as the mask ROM leaves it, 115,200'),
});

/** Where an installed module goes (D8): the same addresses from either bank. */
export const TS_SLOT = layout('ts_slot', 'A place for an installed module.', {
  name: ptr('const char *'),
  code_base: u32('instruction address of the slot’s pages, 64 KiB-aligned'),
  rodata_base: u32('data address of the same pages, 64 KiB-aligned'),
  pages: u32('64 KiB pages of each bank'),
  flash_a: u32('flash offset of bank A, 64 KiB-aligned'),
  flash_b: u32(),
  ram_base: u32('data, tables, memory and stack of the module'),
  ram_bytes: u32(),
});

/** First bytes of a slot's bank; the rest is code and read-only data, linked for the slot. */
export const TS_PACKAGE = layout('ts_package', 'Header of a linked package, at the start of a bank.', {
  magic: u32('0x31505354, "TSP1"'),
  os_abi_version: u32(),
  wasm_abi_version: u32(),
  total_bytes: u32('header and contents, without the signature envelope'),
  info: ptr('const struct ts_module_info *', 'in the slot’s rodata window'),
  slot_code_base: u32('must equal the slot’s'),
  slot_ram_base: u32('must equal the slot’s'),
  ram_bytes: u32('RAM it needs; must fit the slot’s'),
  base_id: u32('must equal the boot table’s'),
  version: u32('of the module: major << 20 | minor << 10 | patch'),
});

export const OS_LAYOUTS: readonly Layout[] = [
  TS_FIELD,
  TS_TYPE,
  TS_CONTRACT,
  TS_SERVICE,
  TS_REQUIREMENT,
  TS_MODULE_INFO,
  TS_SLOT,
  TS_BOOT_TABLE,
  TS_PACKAGE,
];

/** First word of a package, "TSP1". */
export const PACKAGE_MAGIC = 0x31505354;

/** Symbol of the boot table; undefined (0) in images without modules. */
export const BOOT_TABLE_SYMBOL = 'ts_boot_table';
/** What `ts_boot_table.kernel` must point to. */
export const KERNEL_HOOKS_SYMBOL = 'ts_kernel_hooks';
/** What `ts_boot_table.sys` points to in images without slots, and with them. */
export const SYS_SYMBOL = 'ts_sys_info';
export const SYS_WITH_SLOTS_SYMBOL = 'ts_sys_slots_info';
