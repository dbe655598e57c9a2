// AssemblyScript: a histogram of samples with running mean and variance (Welford), f64.
const bins = new StaticArray<i32>(16);
let count: i32 = 0;
let mean: f64 = 0;
let squares: f64 = 0;

export function reset(): void {
  for (let i = 0; i < 16; i++) bins[i] = 0;
  count = 0;
  mean = 0;
  squares = 0;
}

/** Adds a 12-bit sample. */
export function add(sample: i32): void {
  bins[(sample >> 8) & 15]++;
  count++;
  const delta = <f64>sample - mean;
  mean += delta / <f64>count;
  squares += delta * (<f64>sample - mean);
}

export function bin(index: i32): i32 {
  return bins[index];
}

export function average(): f64 {
  return mean;
}

export function deviation(): f64 {
  return count < 2 ? 0 : Math.sqrt(squares / <f64>(count - 1));
}

/** Adds `samples` samples of a fixed pseudo-random sequence; gives the mean. */
export function simulate(samples: i32): f64 {
  reset();
  let state: u32 = 1;
  for (let i = 0; i < samples; i++) {
    state = state * 1664525 + 1013904223;
    add(<i32>(state >> 20));
  }
  return average();
}
