// What must hold of the example applications' console lines, whatever runs them. Takes lines `[module] text`, throws what
// vitest's expect throws. Knows neither device nor Node host.
import { expect } from 'vitest';

const of = (lines: readonly string[], module: string): string[] =>
  lines.filter((line) => line.startsWith(`[${module}] `)).map((line) => line.slice(module.length + 3));

const WEATHER =
  /^(\d+\.\d) s: (-?\d+\.\d\d) C, (-?\d+\.\d\d) C\/s, (\d+) new; min (-?\d+\.\d\d) mean (-?\d+\.\d\d) max (-?\d+\.\d\d)$/;

/** Temperature of the made-up weather, without noise; seconds since the start. */
const modelAt = (seconds: number): number => 31 - (Math.abs((seconds % 12) - 6) * 16) / 6;

/** The weather station over the first `seconds`, at least 10. */
export function expectWeather(lines: readonly string[], seconds: number): void {
  expect(of(lines, 'sensor')).toEqual(['no thermometer on the bus, weather is made up']);
  for (const quiet of ['filter', 'alarm', 'store']) expect(of(lines, quiet)).toEqual([]);
  const console = of(lines, 'console');
  const reports = console.filter((line) => WEATHER.test(line)).map((line) => WEATHER.exec(line)!.slice(1).map(Number));
  expect(reports.length).toBe(seconds);
  let stored = 0;
  reports.forEach(([time, temperature, trend, fresh, min, mean, max], i) => {
    // Ten samples a second, reported within the second.
    expect(Math.abs(time! - (i + 1))).toBeLessThanOrEqual(0.2);
    expect(fresh).toBeGreaterThanOrEqual(i === 0 ? 8 : 9);
    expect(fresh).toBeLessThanOrEqual(11);
    stored += fresh!;
    // The low pass is half a second late, spikes of 20 degrees are gone.
    expect(Math.abs(temperature! - modelAt(time! - 0.4))).toBeLessThan(0.8);
    if (i > 1 && Math.abs(time! - 6) > 1.5) expect(Math.sign(trend!)).toBe(time! % 12 < 6.5 ? 1 : -1);
    expect(min!).toBeGreaterThanOrEqual(14.5);
    expect(max!).toBeLessThanOrEqual(31.5);
    expect(mean!).toBeGreaterThanOrEqual(min!);
    expect(mean!).toBeLessThanOrEqual(max!);
  });
  expect(Math.abs(stored - 10 * seconds)).toBeLessThanOrEqual(2);
  const others = console.filter((line) => !WEATHER.test(line));
  expect(others.length).toBe(2);
  expect(others[0]).toMatch(/^ALARM, too hot: 28\.\d\d C$/);
  expect(others[1]).toMatch(/^alarm is over: 25\.\d\d C$/);
}

const MOTOR = /^motor at (-?\d+) of (-?\d+)\/s, (\d+) runs, missed (\d+), period -(\d+) \+(\d+) us$/;

/** The motor's control loop, reported each half second: it reaches its speed and no run is missed. */
export function expectControlLoop(lines: readonly string[], jitterUs: number): void {
  const reports = of(lines, 'supervisor').filter((line) => MOTOR.test(line));
  expect(reports.length).toBeGreaterThanOrEqual(4);
  reports.forEach((line, i) => {
    const [speed, wanted, runs, missed, early, late] = MOTOR.exec(line)!.slice(1).map(Number);
    expect(wanted).toBe([2000, 4000, -1500, 0][i % 4]);
    expect(Math.abs(speed! - wanted!)).toBeLessThan(150);
    expect(Math.abs(runs! - 500 * (i + 1))).toBeLessThanOrEqual(2);
    expect(missed).toBe(0);
    expect(early).toBeLessThanOrEqual(jitterUs);
    expect(late).toBeLessThanOrEqual(jitterUs);
  });
}

const FAULT = /^fault: module rogue 1\.0\.0: (.*)$/;

/** Each kind of fault the rogue makes: what its caller gets and what the console says. */
const KINDS: readonly (readonly [string, string, string])[] = [
  ['endless loop', '5.04', 'deadline expired'],
  ['wild pointer', '5.00', 'trap: out of bounds memory access'],
  ['stack overflow', '5.00', 'trap: call stack exhausted'],
  ['breach of contract', '5.00', 'contract broken'],
  ['endless loop in a timer', '2.04', 'deadline expired'],
  ['window kept for later', '2.04', 'trap: out of bounds memory access'],
];

/** Each fault of the rogue is answered, reported and followed by a restart after twice the time of the one before. */
export function expectFaults(lines: readonly string[]): void {
  const provoked = of(lines, 'supervisor').filter((line) => !MOTOR.test(line));
  const reported = lines.flatMap((line, i) => {
    const [, what] = FAULT.exec(line) ?? [];
    const [, restart] = /^ {2}time \d+\.\d{6} s, fault \d+, restart in (\d+) ms$/.exec(lines[i + 1] ?? '') ?? [];
    return what === undefined ? [] : [[what, Number(restart)] as const];
  });
  expect(provoked.length).toBeGreaterThanOrEqual(KINDS.length);
  expect(provoked).toEqual(provoked.map((_, i) => KINDS[i % KINDS.length]!.slice(0, 2).join(': ')));
  expect(reported.map(([what]) => what)).toEqual(provoked.map((_, i) => KINDS[i % KINDS.length]![2]));
  expect(reported.map(([, restart]) => restart)).toEqual(provoked.map((_, i) => 20 * 2 ** Math.min(i, 6)));
  // It started again after each fault but, at the end, the last.
  const starts = of(lines, 'rogue');
  expect(new Set(starts)).toEqual(new Set(['up']));
  expect(provoked.length - starts.length).toBeLessThanOrEqual(0);
}
