// The provider of examples/sdk in AssemblyScript: a counter, a text service and a window on a table. The same in C and
// Rust, with the same transcript.
import {
  Code,
  NO_NUMBER,
  Result,
  Right,
  caller,
  content,
  grantCaller,
  line,
  notify,
  parameter,
  parameterNumber,
  queryNumber,
  reply,
  revoke,
} from 'thingspire';

@unmanaged
class Counter {
  value: i32;
  changes: u32;
}

const counter = changetype<Counter>(memory.data(8, 4));
const table = memory.data(16, 4);
const name = memory.data(16);
const callerName = memory.data(16);

export function get_counter(payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result {
  return content(response, capacity, changetype<usize>(counter), offsetof<Counter>());
}

export function put_counter(payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result {
  if (payloadBytes < 4) return reply(Code.BadRequest);
  counter.value = load<i32>(payload);
  counter.changes++;
  notify('counter');
  return reply(Code.Changed);
}

// POST greeting/{name}/{times}: the payload, the name from the path and who asked.
export function greet(payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result {
  const nameBytes = parameter(0, name, 16);
  if (nameBytes < 0 || nameBytes > 16) return reply(Code.BadRequest);
  const times = parameterNumber(1);
  if (times == NO_NUMBER) return reply(Code.BadRequest);
  const callerBytes = caller(callerName, 16);
  const since = queryNumber('since');
  const text = line();
  text.bytes(payload, payloadBytes).text(' ').bytes(name, nameBytes).text(' x').number(<i32>times);
  text.text(' for ').bytes(callerName, callerBytes);
  if (since != NO_NUMBER) text.text(' since ').number(<i32>since);
  text.log();
  const length = payloadBytes < 32 ? payloadBytes : 32;
  if (length > capacity) return reply(Code.RequestEntityTooLarge);
  for (let i: u32 = 0; i < length; i++) {
    const byte = load<u8>(payload + i);
    store<u8>(response + i, byte >= 0x61 && byte <= 0x7a ? byte - 32 : byte);
  }
  return reply(Code.Content, length);
}

// GET table: the address of a window that the caller may read and write.
export function get_table(payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result {
  for (let i = 0; i < 4; i++) store<i32>(table + 4 * i, 100 * i);
  const window = grantCaller(table, 16, Right.Read | Right.Write, 0);
  if (window == 0) return reply(Code.ServiceUnavailable);
  store<u32>(response, window);
  return reply(Code.Content, 4);
}

// DELETE table: closes the window again; says what the caller has written.
export function delete_table(payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result {
  const window = queryNumber('window');
  const closed = window != NO_NUMBER && revoke(<usize>window);
  line()
    .text('table[3] is ')
    .number(load<i32>(table + 12))
    .text(closed ? ', closed' : ', not closed')
    .log();
  return reply(Code.Deleted);
}

// POST sum: adds up numbers that the caller has opened a window on.
export function sum(payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result {
  if (payloadBytes != 8 || capacity < 4) return reply(Code.BadRequest);
  const window = load<u32>(payload);
  const count = load<u32>(payload, 4);
  let total = 0;
  for (let i: u32 = 0; i < count; i++) total += load<i32>(window + 4 * i);
  store<i32>(response, total);
  return reply(Code.Content, 4);
}

export function on_start(): void {
  line().text('provider up, ').fixed(-1205, 2).log();
}
