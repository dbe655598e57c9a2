// What a module in AssemblyScript sees of ThingSpire: the imports of "thingspire", result words and helpers that
// allocate nothing. Knows no kernel; constants equal compiler/abi/os-layout.ts (tested). The header for C and the crate
// for Rust offer the same under the same names. `asc --path sdk/assemblyscript` finds it as "thingspire".

/** Request methods, as in CoAP (RFC 7252). */
export const enum Method {
  Get = 1,
  Post = 2,
  Put = 3,
  Delete = 4,
}

/** Response codes, as in CoAP: class << 5 | detail, so 0x45 is 2.05. */
export const enum Code {
  Created = 0x41,
  Deleted = 0x42,
  Valid = 0x43,
  Changed = 0x44,
  Content = 0x45,
  BadRequest = 0x80,
  Unauthorized = 0x81,
  BadOption = 0x82,
  Forbidden = 0x83,
  NotFound = 0x84,
  MethodNotAllowed = 0x85,
  NotAcceptable = 0x86,
  Conflict = 0x89,
  PreconditionFailed = 0x8c,
  RequestEntityTooLarge = 0x8d,
  UnsupportedContentFormat = 0x8f,
  TooManyRequests = 0x9d,
  InternalServerError = 0xa0,
  NotImplemented = 0xa1,
  BadGateway = 0xa2,
  ServiceUnavailable = 0xa3,
  GatewayTimeout = 0xa4,
}

/** Rights of a grant; or them together. */
export const enum Right {
  Read = 1,
  Write = 2,
}

/** Result word of a handler and of a request: response code << 24 | payload bytes. */
export type Result = u32;

/** The result word of a response with `bytes` of payload, which the handler has put into the response buffer. */
export function reply(code: Code, bytes: u32 = 0): Result {
  return ((<u32>code) << 24) | bytes;
}

/** Response code of a result. */
export function code(result: Result): Code {
  return <Code>(result >> 24);
}

/** Payload bytes of a result. */
export function length(result: Result): u32 {
  return result & 0xffffff;
}

/** True if the code is 2.xx. */
export function ok(result: Result): bool {
  return result >> 29 == 2;
}

// A handler is an exported function (payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result. Payload
// and response buffer are windows into the caller's memory, valid until it returns: load<T>(payload, offset) and
// changetype<UnmanagedClass>(payload) go straight there. Events: exported functions on_start(), on_timer(timer: u32) and
// on_notify(subscription: i32, result: u32).

/**
 * Requests what entry `requirement` of the manifest's `requires` names (an exact path with one method): the fast way,
 * without a URI. The payload is granted to the callee for reading, the response buffer for writing, until it returns.
 * Gives the callee's result, or an error of the system: 4.03 not allowed, 4.04 no such service, 4.13 too large, 4.29 too
 * often, 5.00 the callee failed, 5.03 it is not running, 5.04 its deadline expired.
 */
@external("thingspire", "call")
export declare function call(
  requirement: u32,
  payload: usize,
  payloadBytes: u32,
  response: usize,
  capacity: u32,
): Result;

/** `request` with a URI that is at an address in UTF-8, e.g. that of a `Line`. */
@external("thingspire", "request")
export declare function requestAt(
  method: u32,
  uri: usize,
  uriBytes: u32,
  payload: usize,
  payloadBytes: u32,
  response: usize,
  capacity: u32,
): Result;

@external("thingspire", "parameter")
declare function importedParameter(index: u32, buffer: usize, capacity: u32): i32;

@external("thingspire", "query")
declare function importedQuery(key: usize, keyBytes: u32, buffer: usize, capacity: u32): i32;

@external("thingspire", "caller")
declare function importedCaller(buffer: usize, capacity: u32): i32;

/**
 * Opens a window on `bytes` of this module's memory for the provider of entry `requirement` of `requires`; `rights` are
 * of `Right`. It closes after `milliseconds`, or by `revoke` if that is 0. Of memory that is a window itself, a grant of
 * the same or fewer rights. Gives the window's address as the provider sees it, to be sent to it, or 0.
 */
@external("thingspire", "grant")
export declare function grant(requirement: u32, address: usize, bytes: u32, rights: u32, milliseconds: u32): usize;

/** In a handler: the same for the module that calls. */
@external("thingspire", "grant_caller")
export declare function grantCaller(address: usize, bytes: u32, rights: u32, milliseconds: u32): usize;

/** Closes a window that this module has opened. False if there is no such window. */
@external("thingspire", "revoke")
export declare function revoke(window: usize): bool;

@external("thingspire", "observe")
declare function importedObserve(uri: usize, uriBytes: u32, buffer: usize, capacity: u32): i32;

/** Ends a subscription. False if there is no such one. */
@external("thingspire", "unobserve")
export declare function unobserve(subscription: i32): bool;

@external("thingspire", "notify")
declare function importedNotify(path: usize, pathBytes: u32): u32;

/**
 * Starts timer 0 to 3: `on_timer` runs after `firstMs` and then every `periodMs` milliseconds (0: only once). Both 0
 * stop it. False if there is no such timer.
 */
@external("thingspire", "timer")
export declare function timer(timer: u32, firstMs: u32, periodMs: u32): bool;

/** Microseconds since the start of the device. */
@external("thingspire", "now")
export declare function now(): u64;

/** 32 random bits. */
@external("thingspire", "random")
export declare function random(): u32;

@external("thingspire", "log")
declare function importedLog(text: usize, bytes: u32): void;

/** CPU microseconds that this invocation may still take until its deadline. */
@external("thingspire", "time_left")
export declare function timeLeft(): i32;

/** Where texts become UTF-8 for the length of one import; nothing else runs meanwhile that uses it. */
const TEXT_CAPACITY: u32 = 128;
const text = memory.data(128, 4);

/** Writes a string as UTF-8 to `to`; gives its bytes, or -1 if it does not fit. */
function encode(value: string, to: usize, capacity: u32): i32 {
  const bytes = <u32>String.UTF8.byteLength(value);
  if (bytes > capacity) return -1;
  String.UTF8.encodeUnsafe(changetype<usize>(value), value.length, to);
  return bytes;
}

/**
 * Requests any URI that the manifest's `requires` covers, e.g. "/log/7?since=20", at most 128 bytes long. Errors as
 * `call`, and 4.05; 4.02 if the URI is too long.
 */
export function request(
  method: Method,
  uri: string,
  payload: usize,
  payloadBytes: u32,
  response: usize,
  capacity: u32,
): Result {
  const bytes = encode(uri, text, TEXT_CAPACITY);
  if (bytes < 0) return reply(Code.BadOption);
  return requestAt(method, text, bytes, payload, payloadBytes, response, capacity);
}

/** `request` with method GET. */
export function get(uri: string, response: usize, capacity: u32): Result {
  return request(Method.Get, uri, 0, 0, response, capacity);
}

/** `request` with method PUT, for services that answer with a code alone. */
export function put(uri: string, payload: usize, payloadBytes: u32): Result {
  return request(Method.Put, uri, payload, payloadBytes, 0, 0);
}

/** `request` with method POST. */
export function post(uri: string, payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result {
  return request(Method.Post, uri, payload, payloadBytes, response, capacity);
}

/** `request` with method DELETE. */
export function del(uri: string): Result {
  return request(Method.Delete, uri, 0, 0, 0, 0);
}

/** In a handler: writes the text of the index-th `{}` of the path to `buffer`. Gives its length, or -1. */
export function parameter(index: u32, buffer: usize, capacity: u32): i32 {
  return importedParameter(index, buffer, capacity);
}

/** In a handler: writes the value of a query parameter to `buffer`. Gives its length, or -1 if there is none. */
export function query(key: string, buffer: usize, capacity: u32): i32 {
  const bytes = encode(key, text, TEXT_CAPACITY);
  return bytes < 0 ? -1 : importedQuery(text, bytes, buffer, capacity);
}

/** In a handler: writes the name of the module that calls to `buffer`. Gives its length. */
export function caller(buffer: usize, capacity: u32): i32 {
  return importedCaller(buffer, capacity);
}

/**
 * Subscribes to a GET resource: `on_notify` runs with its representation in `buffer`, which must stay (memory.data),
 * once at first and then after each change. Several changes may come as one. Gives a subscription number, or -1.
 */
export function observe(uri: string, buffer: usize, capacity: u32): i32 {
  const bytes = encode(uri, text, TEXT_CAPACITY);
  return bytes < 0 ? -1 : importedObserve(text, bytes, buffer, capacity);
}

/** Says that an observable service of this module has changed. Gives the number of observers. */
export function notify(path: string): u32 {
  const bytes = encode(path, text, TEXT_CAPACITY);
  return bytes < 0 ? 0 : importedNotify(text, bytes);
}

/** In a handler: copies `bytes` into the response buffer and gives 2.05 with them; 4.13 if the buffer is too small. */
export function content(response: usize, capacity: u32, data: usize, bytes: u32): Result {
  if (bytes > capacity) return reply(Code.RequestEntityTooLarge);
  memory.copy(response, data, bytes);
  return reply(Code.Content, bytes);
}

/** What a text that is no number gives. */
export const NO_NUMBER: i64 = i64.MIN_VALUE;

function parseNumber(from: usize, length: i32): i64 {
  let at = length > 0 && load<u8>(from) == 0x2d ? 1 : 0;
  const negative = at == 1;
  let number: i64 = 0;
  if (at >= length || length > 11) return NO_NUMBER;
  for (; at < length; at++) {
    const digit = <u32>load<u8>(from + at) - 0x30;
    if (digit > 9) return NO_NUMBER;
    number = number * 10 + digit;
  }
  if (negative) number = -number;
  return number == <i64>(<i32>number) ? number : NO_NUMBER;
}

/** In a handler: the index-th `{}` of the path as a 32-bit number, or NO_NUMBER. */
export function parameterNumber(index: u32): i64 {
  const length = importedParameter(index, text, 12);
  return length > 12 ? NO_NUMBER : parseNumber(text, length);
}

/** In a handler: a query parameter as a 32-bit number, or NO_NUMBER. */
export function queryNumber(key: string): i64 {
  const bytes = encode(key, text, TEXT_CAPACITY - 12);
  if (bytes < 0) return NO_NUMBER;
  const value = text + TEXT_CAPACITY - 12;
  const length = importedQuery(text, bytes, value, 12);
  return length > 12 ? NO_NUMBER : parseNumber(value, length);
}

const LINE_CAPACITY: u32 = 96;
const lineStorage = memory.data(100, 4);

/** A line of text under construction, made by `line()`. What does not fit is cut off. */
@unmanaged
export class Line {
  /** Bytes so far; the text follows. */
  length: u32;

  /** Where the text is. */
  get address(): usize {
    return changetype<usize>(this) + 4;
  }

  private byte(value: u32): void {
    if (this.length >= LINE_CAPACITY) return;
    store<u8>(this.address + this.length, value);
    this.length++;
  }

  /** Adds `bytes` of text from an address, which may be in a window. */
  bytes(address: usize, bytes: u32): this {
    const room = LINE_CAPACITY - this.length;
    const fitting = bytes < room ? bytes : room;
    memory.copy(this.address + this.length, address, fitting);
    this.length += fitting;
    return this;
  }

  /** Adds a string as UTF-8; one that does not fit is left out as a whole. */
  text(value: string): this {
    const bytes = encode(value, this.address + this.length, LINE_CAPACITY - this.length);
    if (bytes > 0) this.length += bytes;
    return this;
  }

  /** Adds a number with `decimals` digits after the point: (2350, 2) is 23.50. */
  fixed(value: i32, decimals: u32): this {
    let rest: u32 = value < 0 ? <u32>0 - <u32>value : <u32>value;
    let divisor: u32 = 1;
    let digits: u32 = 1;
    while (digits < 10 && (rest / divisor >= 10 || digits <= decimals)) {
      divisor *= 10;
      digits++;
    }
    if (value < 0) this.byte(0x2d);
    for (; digits != 0; digits--) {
      if (digits == decimals) this.byte(0x2e);
      this.byte(0x30 + rest / divisor);
      rest %= divisor;
      divisor /= 10;
    }
    return this;
  }

  /** Adds a number. */
  number(value: i32): this {
    return this.fixed(value, 0);
  }

  /** Adds a response code as people write it: 2.05. */
  code(code: Code): this {
    this.byte(0x30 + (<u32>code >> 5));
    this.byte(0x2e);
    const detail = <u32>code & 31;
    this.byte(0x30 + detail / 10);
    this.byte(0x30 + (detail % 10));
    return this;
  }

  /** Prints the line, with the module's name before it. */
  log(): void {
    importedLog(this.address, this.length);
  }
}

/** The module's one line, emptied. */
export function line(): Line {
  const line = changetype<Line>(lineStorage);
  line.length = 0;
  return line;
}

/** A line on the console, with the module's name before it; of at most 96 bytes. */
export function log(text: string): void {
  line().text(text).log();
}

/** For `asc --use abort=~lib/thingspire/index/abort`: says on the console where the program gave up, then traps. */
export function abort(message: string | null, file: string | null, row: u32, column: u32): void {
  if (file !== null) line().text(file).text(":").number(row).text(":").number(column).log();
  if (message !== null) log(message);
  unreachable();
}
