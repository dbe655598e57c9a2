// Weather station, filter that travels: the filter of examples/weather-station, and a numbered reading for each who asks.
// The number is state that must come along: no move may lose or double one. The instance tells a restart, which begins
// anew, from a move, which does not.
import { Result, content, ok, random } from 'thingspire';
import { get_weather, on_start as start } from '../weather-station/filter';
import { Reading } from './filter_things';

export { get_weather, on_notify } from '../weather-station/filter';

const reading = Reading.at(memory.data(20, 4));

export function on_start(): void {
  reading.instance = random();
  start();
}

/** The present weather with the next number; 5.03 while there is none, and then no number is used up. */
export function post_reading(payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result {
  const result = get_weather(payload, 0, reading.address + 8, 12);
  if (!ok(result)) return result;
  reading.count++;
  return content(response, capacity, reading.address, Reading.size);
}
