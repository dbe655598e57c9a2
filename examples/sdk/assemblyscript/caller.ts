// The caller of examples/sdk in AssemblyScript: uses every service of the provider. The same in C and Rust, with the
// same transcript.
import {
  Method,
  Result,
  Right,
  call,
  code,
  get,
  grant,
  length,
  line,
  log,
  now,
  observe,
  ok,
  post,
  put,
  random,
  requestAt,
  revoke,
  timeLeft,
  timer,
  unobserve,
} from 'thingspire';

// Indices of the manifest's `requires`.
const GET_COUNTER: u32 = 0;
const PUT_COUNTER: u32 = 1;
const SUM: u32 = 2;

@unmanaged
class Counter {
  value: i32;
  changes: u32;
}

const observed = changetype<Counter>(memory.data(8, 4));
const counter = changetype<Counter>(memory.data(8, 4));
const number = memory.data(4, 4);
const text = memory.data(32);
const numbers = memory.data(400, 4);
let tableWindow: usize = 0;

function show(what: string, counter: Counter): void {
  line().text(what).text(' ').number(counter.value).text(', changed ').number(counter.changes).text('x').log();
}

function showCode(what: string, result: Result): void {
  line().text(what).text(' ').code(code(result)).text(', ').number(length(result)).text(' bytes').log();
}

function useTable(): void {
  if (!ok(get('/table', number, 4))) return log('no table');
  tableWindow = load<u32>(number);
  store<i32>(tableWindow + 12, load<i32>(tableWindow + 8) + 33);
}

// Has the provider close the window: later, since that would end the invocation that has used it.
function deleteTable(): void {
  const uri = line().text('/table?window=').number(tableWindow);
  showCode('delete table', requestAt(Method.Delete, uri.address, uri.length, 0, 0, 0, 0));
}

function hello(uri: string): Result {
  store<u32>(text, 0x6c6c6568);
  store<u8>(text + 4, 0x6f);
  return post(uri, text, 5, text + 8, 24);
}

// Lets the provider add up numbers where they are: in this module's memory.
function useSum(): void {
  for (let i = 0; i < 100; i++) store<i32>(numbers + 4 * i, i);
  const window = grant(SUM, numbers, 400, Right.Read, 0);
  store<u32>(text, window);
  store<u32>(text, 100, 4);
  showCode('sum', call(SUM, text, 8, number, 4));
  const revoked = revoke(window);
  line()
    .text('total ')
    .number(load<i32>(number))
    .text(revoked ? ', revoked' : ', not revoked')
    .text(revoke(window) ? ' again' : ' once')
    .log();
}

// Time passes, but the deadline is not over; random bits are 32.
function clocksRun(): bool {
  return now() > 0 && timeLeft() > 0 && (<u64>random()) >> 32 == 0;
}

export function on_start(): void {
  const subscription = observe('/counter', changetype<usize>(observed), 8);
  store<i32>(number, -7);
  showCode('put', call(PUT_COUNTER, number, 4, 0, 0));
  showCode('get', call(GET_COUNTER, 0, 0, changetype<usize>(counter), 8));
  show('counter', counter);
  const result = hello('/greeting/ada/3?since=-20');
  showCode('post', result);
  line()
    .text('answer ')
    .bytes(text + 8, length(result))
    .log();
  showCode('post', hello('/greeting/ada/many'));
  showCode('get', get('/nowhere', text, 32));
  useTable();
  useSum();
  line()
    .text('observing ')
    .number(subscription >= 0 ? 1 : 0)
    .log();
  timer(1, 5, 0);
}

export function on_timer(timer: u32): void {
  deleteTable();
  store<i32>(number, 41);
  showCode(timer == 1 ? 'timer put' : 'wrong timer', put('/counter', number, 4));
}

export function on_notify(subscription: i32, result: Result): void {
  showCode('notified', result);
  show('observed', observed);
  if (observed.value != 41) return;
  const ended = unobserve(subscription);
  if (ended && !unobserve(subscription) && clocksRun()) log('done');
}
