// Motor control, supervisor: lets the rogue go wrong in every way in turn, changes the motor's speed meanwhile, and says
// how both are doing.
import { Code, Method, call, code, line, ok, requestAt, timer } from 'thingspire';

// Indices of the manifest's `requires`.
const GET_MOTOR: u32 = 0;
const PUT_SETPOINT: u32 = 1;

@unmanaged
class MotorState {
  speed: i32;
  wanted: i32;
  duty: i32;
  ticks: u32;
  missed: u32;
  worstEarly: u32;
  worstLate: u32;
}

const KINDS: StaticArray<string> = [
  'endless loop',
  'wild pointer',
  'stack overflow',
  'breach of contract',
  'endless loop in a timer',
  'window kept for later',
];
const SPEEDS: StaticArray<i32> = [2000, 4000, -1500, 0];

const motor = changetype<MotorState>(memory.data(28, 4));
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
  const result = call(GET_MOTOR, 0, 0, changetype<usize>(motor), offsetof<MotorState>());
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
  store<i32>(number, unchecked(SPEEDS[nextSpeed++ % SPEEDS.length]));
  const result = call(PUT_SETPOINT, number, 4, 0, 0);
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
