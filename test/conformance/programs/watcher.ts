// Observes what a provider offers, says what it is told; in AssemblyScript. PUT /watch/{n} does the n-th thing.
import {
  code,
  Code,
  length,
  line,
  Method,
  notify,
  observe,
  parameterNumber,
  reply,
  request,
  Result,
  unobserve,
} from 'thingspire';

const buffer = new StaticArray<u8>(8);
const other = new StaticArray<u8>(8);
let first: i32 = -1;
let second: i32 = -1;

export function put(payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result {
  const step = <i32>parameterNumber(0);
  if (step == 0) {
    first = observe('/value', changetype<usize>(buffer), 8);
    line()
      .text('first ')
      .number(first >= 0 ? 1 : 0)
      .log();
  } else if (step == 1) {
    second = observe('value?scale=2', changetype<usize>(other), 8);
    line()
      .text('second ')
      .number(second >= 0 && second != first ? 1 : 0)
      .log();
  } else if (step == 2)
    line()
      .text('fixed ')
      .number(observe('/fixed', changetype<usize>(buffer), 8))
      .log();
  else if (step == 3)
    line()
      .text('refused ')
      .number(observe('/secret', changetype<usize>(buffer), 8))
      .log();
  else if (step == 4) {
    line()
      .text('ended ')
      .number(unobserve(first) ? 1 : 0)
      .number(unobserve(first) ? 1 : 0)
      .number(unobserve(99) ? 1 : 0)
      .log();
  } else if (step == 5)
    line()
      .text('small ')
      .number(observe('/value', changetype<usize>(buffer), 2) >= 0 ? 1 : 0)
      .log();
  else if (step == 6)
    line()
      .text('empty ')
      .number(observe('', changetype<usize>(buffer), 2))
      .log();
  else if (step == 7) line().text('notify ').number(notify('/value')).log();
  return reply(Code.Changed);
}

export function on_notify(subscription: i32, result: Result): void {
  const bytes = subscription == second ? other : buffer;
  const l = line()
    .text(subscription == first ? 'one ' : subscription == second ? 'two ' : 'three ')
    .code(code(result));
  if (length(result) == 4) l.text(' ').number(load<i32>(changetype<usize>(bytes)));
  l.log();
}
