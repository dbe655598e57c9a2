// What module "filter" of weather-station provides and requires. Made by `wasm-aot stubs`: do not edit.

import { Result, call } from "thingspire";

// GET /weather: export function get_weather(payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result
//   takes nothing, gives Weather
// POST /weather/reading: export function post_reading(payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result
//   takes nothing, gives Reading

/** 12 bytes; `Weather.at(address)` is the one there, e.g. at `memory.data(12)` or in a payload. */
@unmanaged
export class Weather {
  @inline static get size(): u32 {
    return 12;
  }
  @inline static at(address: usize): Weather {
    return changetype<Weather>(address);
  }
  @inline get address(): usize {
    return changetype<usize>(this);
  }
  @inline get time(): u32 {
    return load<u32>(changetype<usize>(this), 0);
  }
  @inline set time(value: u32) {
    store<u32>(changetype<usize>(this), value, 0);
  }
  /** -5500 to 15000 */
  @inline get temperature(): i32 {
    return load<i32>(changetype<usize>(this), 4);
  }
  @inline set temperature(value: i32) {
    store<i32>(changetype<usize>(this), value, 4);
  }
  @inline get trend(): i32 {
    return load<i32>(changetype<usize>(this), 8);
  }
  @inline set trend(value: i32) {
    store<i32>(changetype<usize>(this), value, 8);
  }
}

/** 20 bytes; `Reading.at(address)` is the one there, e.g. at `memory.data(20)` or in a payload. */
@unmanaged
export class Reading {
  @inline static get size(): u32 {
    return 20;
  }
  @inline static at(address: usize): Reading {
    return changetype<Reading>(address);
  }
  @inline get address(): usize {
    return changetype<usize>(this);
  }
  @inline get instance(): u32 {
    return load<u32>(changetype<usize>(this), 0);
  }
  @inline set instance(value: u32) {
    store<u32>(changetype<usize>(this), value, 0);
  }
  @inline get count(): u32 {
    return load<u32>(changetype<usize>(this), 4);
  }
  @inline set count(value: u32) {
    store<u32>(changetype<usize>(this), value, 4);
  }
  @inline get time(): u32 {
    return load<u32>(changetype<usize>(this), 8);
  }
  @inline set time(value: u32) {
    store<u32>(changetype<usize>(this), value, 8);
  }
  @inline get temperature(): i32 {
    return load<i32>(changetype<usize>(this), 12);
  }
  @inline set temperature(value: i32) {
    store<i32>(changetype<usize>(this), value, 12);
  }
  @inline get trend(): i32 {
    return load<i32>(changetype<usize>(this), 16);
  }
  @inline set trend(value: i32) {
    store<i32>(changetype<usize>(this), value, 16);
  }
}

export const REQUIRE_SENSOR_TEMPERATURE: u32 = 0;

/** GET /sensor/temperature */
@inline
export function callSensorTemperatureGet(request: usize, requestBytes: u32, response: usize, responseBytes: u32): Result {
  return call(REQUIRE_SENSOR_TEMPERATURE, request, requestBytes, response, responseBytes);
}
