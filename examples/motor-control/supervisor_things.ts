// What module "supervisor" of motor-control provides and requires. Made by `wasm-aot stubs`: do not edit.

import { Result, call } from "thingspire";

/** 28 bytes; `State.at(address)` is the one there, e.g. at `memory.data(28)` or in a payload. */
@unmanaged
export class State {
  @inline static get size(): u32 {
    return 28;
  }
  @inline static at(address: usize): State {
    return changetype<State>(address);
  }
  @inline get address(): usize {
    return changetype<usize>(this);
  }
  @inline get speed(): i32 {
    return load<i32>(changetype<usize>(this), 0);
  }
  @inline set speed(value: i32) {
    store<i32>(changetype<usize>(this), value, 0);
  }
  @inline get wanted(): i32 {
    return load<i32>(changetype<usize>(this), 4);
  }
  @inline set wanted(value: i32) {
    store<i32>(changetype<usize>(this), value, 4);
  }
  /** -1000 to 1000 */
  @inline get duty(): i32 {
    return load<i32>(changetype<usize>(this), 8);
  }
  @inline set duty(value: i32) {
    store<i32>(changetype<usize>(this), value, 8);
  }
  @inline get ticks(): u32 {
    return load<u32>(changetype<usize>(this), 12);
  }
  @inline set ticks(value: u32) {
    store<u32>(changetype<usize>(this), value, 12);
  }
  @inline get missed(): u32 {
    return load<u32>(changetype<usize>(this), 16);
  }
  @inline set missed(value: u32) {
    store<u32>(changetype<usize>(this), value, 16);
  }
  @inline get worstEarly(): u32 {
    return load<u32>(changetype<usize>(this), 20);
  }
  @inline set worstEarly(value: u32) {
    store<u32>(changetype<usize>(this), value, 20);
  }
  @inline get worstLate(): u32 {
    return load<u32>(changetype<usize>(this), 24);
  }
  @inline set worstLate(value: u32) {
    store<u32>(changetype<usize>(this), value, 24);
  }
}

/** 4 bytes; `Setpoint.at(address)` is the one there, e.g. at `memory.data(4)` or in a payload. */
@unmanaged
export class Setpoint {
  @inline static get size(): u32 {
    return 4;
  }
  @inline static at(address: usize): Setpoint {
    return changetype<Setpoint>(address);
  }
  @inline get address(): usize {
    return changetype<usize>(this);
  }
  /** -4500 to 4500 */
  @inline get speed(): i32 {
    return load<i32>(changetype<usize>(this), 0);
  }
  @inline set speed(value: i32) {
    store<i32>(changetype<usize>(this), value, 0);
  }
}

export const REQUIRE_MOTOR: u32 = 0;
export const REQUIRE_MOTOR_SETPOINT: u32 = 1;

/** GET /motor */
@inline
export function callMotorGet(response: State): Result {
  return call(REQUIRE_MOTOR, 0, 0, response.address, State.size);
}

/** PUT /motor/setpoint */
@inline
export function callMotorSetpointPut(request: Setpoint): Result {
  return call(REQUIRE_MOTOR_SETPOINT, request.address, Setpoint.size, 0, 0);
}
