// Weather station, filter: median of five samples against spikes, then a low pass; publishes temperature and trend, in
// 1/100 degree and 1/100 degree a second.
import { Code, Result, content, log, notify, observe, ok, reply } from 'thingspire';
import { Sample, Weather } from './filter_things';

const WINDOW: i32 = 5;
const ALPHA: f32 = 0.3;

const sample = Sample.at(memory.data(8, 4));
const weather = Weather.at(memory.data(12, 4));
const recent = memory.data(20, 4);
const sorted = memory.data(20, 4);
let filled: i32 = 0;
let next: i32 = 0;
let level: f32 = 0;

function median(): i32 {
  for (let i = 0; i < filled; i++) {
    const value = load<i32>(recent + 4 * i);
    let j = i;
    for (; j > 0 && load<i32>(sorted + 4 * (j - 1)) > value; j--) {
      store<i32>(sorted + 4 * j, load<i32>(sorted + 4 * (j - 1)));
    }
    store<i32>(sorted + 4 * j, value);
  }
  return load<i32>(sorted + 4 * (filled >> 1));
}

function feed(time: u32, temperature: i32): void {
  store<i32>(recent + 4 * next, temperature);
  next = (next + 1) % WINDOW;
  if (filled < WINDOW) filled++;
  const middle = <f32>median();
  const before = level;
  level = weather.time == 0 ? middle : before + ALPHA * (middle - before);
  const elapsed = <f32>(time - weather.time);
  const slope: f32 = weather.time == 0 || elapsed == 0 ? 0 : ((level - before) * 1000) / elapsed;
  weather.trend = <i32>nearest<f32>(<f32>0.8 * <f32>weather.trend + <f32>0.2 * slope);
  weather.temperature = <i32>nearest<f32>(level);
  weather.time = time;
}

export function get_weather(payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result {
  if (weather.time == 0) return reply(Code.ServiceUnavailable);
  return content(response, capacity, weather.address, Weather.size);
}

export function on_start(): void {
  if (observe('/sensor/temperature', sample.address, Sample.size) < 0) log('no sensor to observe');
}

export function on_notify(subscription: i32, result: Result): void {
  if (!ok(result)) return; // no sample yet
  feed(sample.time, sample.temperature);
  notify('weather');
}
