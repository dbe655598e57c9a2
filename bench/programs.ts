// The benchmark programs: name, amount of work, group. Takes nothing; knows no tool. Sources are programs/NAME.c.

export interface BenchProgram {
  readonly name: string;
  /** Argument of `run`: rounds of work, chosen for some hundred thousand native instructions. */
  readonly n: number;
  readonly group: 'integer' | 'crypto' | 'codec' | 'float' | 'double' | 'data' | 'calls';
  readonly title: string;
}

function program(group: BenchProgram['group'], name: string, n: number, title: string): BenchProgram {
  return { name, n, group, title };
}

export const PROGRAMS: readonly BenchProgram[] = [
  program('integer', 'crc32', 10, 'CRC-32, three ways'),
  program('crypto', 'sha256', 10, 'SHA-256'),
  program('crypto', 'aes128', 5, 'AES-128 CBC'),
  program('crypto', 'bignum', 2, 'Modular power, SipHash, 64-bit division'),
  program('codec', 'base64', 20, 'Base64'),
  program('codec', 'lz', 5, 'LZ4 decompression'),
  program('codec', 'huffman', 3, 'Huffman coding'),
  program('codec', 'dct', 6, 'JPEG DCT and quantisation'),
  program('integer', 'fft_fixed', 8, 'FFT, fixed point'),
  program('float', 'fft_f32', 8, 'FFT, f32'),
  program('integer', 'fir', 8, 'FIR and biquads, Q15'),
  program('integer', 'matmul_i32', 5, 'Matrix product, i32'),
  program('float', 'matmul_f32', 5, 'Matrix product and solver, f32'),
  program('integer', 'neuralnet', 3, 'int8 convolution'),
  program('data', 'sort', 3, 'Quick, heap and merge sort'),
  program('data', 'strsearch', 3, 'String search'),
  program('codec', 'json', 16, 'JSON parser and writer'),
  program('integer', 'statemachine', 60, 'State machines'),
  program('data', 'linkedlist', 5, 'Linked list'),
  program('data', 'hashtable', 4, 'Hash table'),
  program('float', 'pid_f32', 1000, 'PID control, f32'),
  program('double', 'pid_f64', 100, 'PID control, f64'),
  program('float', 'kalman_f32', 200, 'Kalman filter, f32'),
  program('double', 'kalman_f64', 20, 'Kalman filter, f64'),
  program('double', 'nbody', 20, 'N-body, f64'),
  program('calls', 'recursion', 5, 'Recursion'),
  program('calls', 'dispatch', 4, 'Indirect calls'),
];
