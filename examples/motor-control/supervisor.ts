// Motor control, supervisor: lets the rogue go wrong in every way in turn, changes the motor's speed meanwhile, and says
// how both are doing.
import { Code, Method, code, line, ok, requestAt, timer } from 'thingspire';
import { Setpoint, State, callMotorGet, callMotorSetpointPut } from './supervisor_things';

const KINDS: StaticArray<string> = [
  'endless loop',
  'wild pointer',
  'stack overflow',
  'breach of contract',
  'endless loop in a timer',
  'window kept for later',
];
const SPEEDS: StaticArray<i32> = [2000, 4000, -1500, 0];

const motor = State.at(memory.data(28, 4));
const setpoint = Setpoint.at(memory.data(4, 4));
const number = memory.data(4, 4);
const answer = memory.data(4, 4);
let nextKind: i32 = 0;
let nextSpeed: i32 = 0;

/** Does the next bad thing; while the rogue is down (5.03) it stays the next one. */
function provoke(): void {
  const kind = nextKind % KINDS.length;
  const uri = line().text('/rogue/').number(kind);
  const result = requestAt(Method.Post, uri.address, uri.length, number, 4, answer, 4);
  if (code(result) == Code.ServiceUnavailable) return;
  nextKind++;
  line().text(unchecked(KINDS[kind])).text(': ').code(code(result)).log();
}

function report(): void {
  const result = callMotorGet(motor);
  if (!ok(result)) {
    line().text('motor says ').code(code(result)).log();
    return;
  }
  line()
    .text('motor at ')
    .number(motor.speed)
    .text(' of ')
    .number(motor.wanted)
    .text('/s, ')
    .number(motor.ticks)
    .text(' runs, missed ')
    .number(motor.missed)
    .text(', period -')
    .number(motor.worstEarly)
    .text(' +')
    .number(motor.worstLate)
    .text(' us')
    .log();
}

function changeSpeed(): void {
  setpoint.speed = unchecked(SPEEDS[nextSpeed++ % SPEEDS.length]);
  const result = callMotorSetpointPut(setpoint);
  if (!ok(result)) line().text('setpoint: ').code(code(result)).log();
}

export function on_start(): void {
  changeSpeed();
  timer(0, 50, 50);
  timer(1, 500, 500);
}

export function on_timer(timer: u32): void {
  if (timer == 0) return provoke();
  report();
  changeSpeed();
}
