// WASI preview 1 of the firmware, called from compiled modules: what the functions answer, and that every pointer a
// module hands over is checked against its memory.
import { beforeAll, describe, expect, it } from 'vitest';
import wabt from 'wabt';
import { ESP32 } from '../../../compiler/abi/boards.js';
import { LinkerSymbol, STACK_RESERVE_BYTES } from '../../../compiler/abi/linker-symbols.js';
import { StopReason } from '../../../compiler/abi/traps.js';
import { buildRuntime } from '../../../firmware/build.js';
import { buildImage } from '../../../linker/build.js';
import { Device, haveCompiler } from './device.js';

const SUCCESS = 0;
const BADF = 8;
const FAULT = 21;
const INVAL = 28;
const NOSYS = 52;
const SPIPE = 70;

/** Parameters of every function of preview 1: i = i32, I = i64. */
const FUNCTIONS: Readonly<Record<string, string>> = {
  args_get: 'ii',
  args_sizes_get: 'ii',
  environ_get: 'ii',
  environ_sizes_get: 'ii',
  clock_res_get: 'ii',
  clock_time_get: 'iIi',
  fd_advise: 'iIIi',
  fd_allocate: 'iII',
  fd_close: 'i',
  fd_datasync: 'i',
  fd_fdstat_get: 'ii',
  fd_fdstat_set_flags: 'ii',
  fd_fdstat_set_rights: 'iII',
  fd_filestat_get: 'ii',
  fd_filestat_set_size: 'iI',
  fd_filestat_set_times: 'iIIi',
  fd_pread: 'iiiIi',
  fd_prestat_get: 'ii',
  fd_prestat_dir_name: 'iii',
  fd_pwrite: 'iiiIi',
  fd_read: 'iiii',
  fd_readdir: 'iiiIi',
  fd_renumber: 'ii',
  fd_seek: 'iIii',
  fd_sync: 'i',
  fd_tell: 'ii',
  fd_write: 'iiii',
  path_create_directory: 'iii',
  path_filestat_get: 'iiiii',
  path_filestat_set_times: 'iiiiIIi',
  path_link: 'iiiiiii',
  path_open: 'iiiiiIIii',
  path_readlink: 'iiiiii',
  path_remove_directory: 'iii',
  path_rename: 'iiiiii',
  path_symlink: 'iiiii',
  path_unlink_file: 'iii',
  poll_oneoff: 'iiii',
  proc_raise: 'i',
  random_get: 'ii',
  sched_yield: '',
  sock_accept: 'iii',
  sock_recv: 'iiiiii',
  sock_send: 'iiiii',
  sock_shutdown: 'ii',
};

/** One export `call_<name>` for each function, with the same parameters. */
function source(): string {
  const imports: string[] = [];
  const wrappers: string[] = [];
  for (const [name, params] of Object.entries(FUNCTIONS)) {
    const types = [...params].map((p) => (p === 'i' ? 'i32' : 'i64')).join(' ');
    imports.push(`(import "wasi_snapshot_preview1" "${name}" (func $${name} (param ${types}) (result i32)))`);
    const args = [...params].map((_, i) => `(local.get ${i})`).join(' ');
    wrappers.push(`(func (export "call_${name}") (param ${types}) (result i32) (call $${name} ${args}))`);
  }
  return `(module ${imports.join('\n')} (memory (export "memory") 1 1) ${wrappers.join('\n')})`;
}

const BYTES = 65536;
const UNTOUCHED = 0xa5;

describe.skipIf(!haveCompiler)('WASI', () => {
  let device: Device;
  let memory: number;
  beforeAll(async () => {
    await buildRuntime();
    const bytes = (await wabt()).parseWat('wasi.wat', source()).toBinary({}).buffer;
    const { linked } = buildImage([{ file: 'wasi.wasm', bytes }], {
      board: ESP32,
      compile: {},
      strings: { args: ['prog', 'one', 'two words'], env: ['A=1'] },
    });
    device = new Device(linked).settle();
    memory = device.machine.readWord(device.address('wasi.memory'));
    const bottom = device.address(LinkerSymbol.WasmStackBottom);
    const stackBytes = device.address(LinkerSymbol.WasmStackTop) - bottom;
    device.machine.writeMemory(bottom, new Uint8Array(stackBytes).fill(UNTOUCHED));
  }, 60_000);

  const call = (name: string, ...args: number[]): number => {
    const outcome = device.invoke(`wasi.call_${name}`, args, 1);
    expect(outcome.reason).toBe(StopReason.Returned);
    return outcome.results[0]!;
  };
  const put = (at: number, ...words: number[]): void =>
    words.forEach((word, i) => device.machine.writeWord(memory + at + 4 * i, word));
  const get = (at: number): number => device.machine.readWord(memory + at);
  const text = (at: number, n: number): string => Buffer.from(device.machine.readMemory(memory + at, n)).toString();

  it('links every function of preview 1', () => {
    const zeros = [...'iiiiiiiiiii'].map(() => 0);
    const missing = ['fd_advise', 'fd_allocate', 'fd_datasync', 'fd_readdir', 'fd_renumber', 'fd_sync'];
    const noFiles = Object.keys(FUNCTIONS).filter((name) => /^(path|sock)_/.test(name));
    for (const name of [...missing, ...noFiles, 'proc_raise', 'fd_pread', 'fd_pwrite']) {
      const words = [...FUNCTIONS[name]!].reduce((n, p) => n + (p === 'I' ? 2 : 1), 0);
      expect(call(name, ...zeros.slice(0, words)), name).toBe(NOSYS);
    }
  });

  it('gives arguments and environment', () => {
    expect(call('args_sizes_get', 100, 104)).toBe(SUCCESS);
    expect([get(100), get(104)]).toEqual([3, 19]);
    expect(call('args_get', 200, 300)).toBe(SUCCESS);
    expect([get(200), get(204), get(208)]).toEqual([300, 305, 309]);
    expect(text(300, 19)).toBe('prog\0one\0two words\0');
    expect(call('environ_sizes_get', 100, 104)).toBe(SUCCESS);
    expect([get(100), get(104)]).toEqual([1, 4]);
    expect(call('environ_get', 200, 300)).toBe(SUCCESS);
    expect(text(300, 4)).toBe('A=1\0');
  });

  it('describes the console and refuses other descriptors', () => {
    expect(call('fd_fdstat_get', 1, 96)).toBe(SUCCESS);
    expect(get(96) & 0xff).toBe(2);
    expect(call('fd_filestat_get', 0, 96)).toBe(SUCCESS);
    expect(call('fd_fdstat_get', 3, 96)).toBe(BADF);
    expect(call('fd_prestat_get', 3, 96)).toBe(BADF);
    expect(call('fd_seek', 1, 0, 0, 0, 96)).toBe(SPIPE);
    expect(call('fd_seek', 9, 0, 0, 0, 96)).toBe(BADF);
    expect(call('fd_tell', 2, 96)).toBe(SPIPE);
    expect(call('fd_close', 1)).toBe(SUCCESS);
    expect(call('fd_close', 77)).toBe(BADF);
    expect(call('fd_write', 0, 16, 1, 8)).toBe(BADF);
    expect(call('fd_read', 1, 16, 1, 8)).toBe(BADF);
    expect(call('sched_yield')).toBe(SUCCESS);
  });

  it('writes scattered pieces, at unaligned places too', () => {
    device.console = '';
    device.machine.writeMemory(memory + 1001, Buffer.from('abcdefgh'));
    device.machine.writeMemory(memory + 51, new Uint8Array(Int32Array.of(1001, 3, 1004, 0, 1004, 5).buffer));
    expect(call('fd_write', 2, 51, 3, 11)).toBe(SUCCESS);
    expect(device.console).toBe('abcdefgh');
    expect(device.machine.readMemory(memory + 11, 4)).toEqual(Uint8Array.of(8, 0, 0, 0));
  });

  it('has clocks, random numbers and sleep', () => {
    expect(call('clock_res_get', 1, 96)).toBe(SUCCESS);
    expect(get(96)).toBe(1000);
    expect(call('clock_time_get', 9, 0, 0, 96)).toBe(INVAL);
    expect(call('random_get', 400, 64)).toBe(SUCCESS);
    expect(new Set(device.machine.readMemory(memory + 400, 64)).size).toBeGreaterThan(30);
    expect(device.machine.readMemory(memory + 464, 8)).toEqual(new Uint8Array(8));

    // One relative clock subscription of 2 ms.
    device.machine.writeMemory(memory + 512, new Uint8Array(48));
    put(512, 0x1234, 0x5678, 0, 0, 1, 0, 2_000_000, 0);
    const before = device.machine.cycles;
    expect(call('poll_oneoff', 512, 600, 1, 96)).toBe(SUCCESS);
    expect((device.machine.cycles - before) / 40).toBeGreaterThanOrEqual(2000);
    expect((device.machine.cycles - before) / 40).toBeLessThan(2200);
    expect([get(96), get(600), get(604), get(608)]).toEqual([1, 0x1234, 0x5678, 0]);
    expect(call('poll_oneoff', 512, 600, 0, 96)).toBe(INVAL);
  });

  it('polls the console', () => {
    // Reading from an empty console with a timeout of 1 ms, writing at once.
    device.machine.writeMemory(memory + 512, new Uint8Array(96));
    put(512, 1, 0, 1, 0, 0);
    put(560, 2, 0, 0, 0, 1, 0, 1_000_000, 0);
    expect(call('poll_oneoff', 512, 700, 2, 96)).toBe(SUCCESS);
    expect([get(96), get(700)]).toEqual([1, 2]);
    device.machine.uart.push(Buffer.from('hey'));
    expect(call('poll_oneoff', 512, 700, 2, 96)).toBe(SUCCESS);
    expect([get(96), get(700), (get(708) >> 16) & 0xff, get(716)]).toEqual([1, 1, 1, 3]);
    put(16, 2000, 10);
    expect(call('fd_read', 0, 16, 1, 96)).toBe(SUCCESS);
    expect([get(96), text(2000, 3)]).toEqual([3, 'hey']);
  });

  /** Calls in which one pointer reaches outside; the others are fine. */
  const hostile = (bad: number): [string, number[]][] => [
    ['fd_write', [1, bad, 1, 8]],
    ['fd_write', [1, 16, 1, bad]],
    ['fd_write', [1, 24, 1, 8]],
    ['fd_write', [1, 16, 0x2000_0001, 8]],
    ['fd_write', [1, 16, -1, 8]],
    ['fd_read', [0, bad, 1, 8]],
    ['fd_read', [0, 16, 1, bad]],
    ['fd_read', [0, 24, 1, 8]],
    ['fd_fdstat_get', [1, bad]],
    ['fd_filestat_get', [1, bad]],
    ['clock_res_get', [1, bad]],
    ['clock_time_get', [1, 0, 0, bad]],
    ['random_get', [bad, 8]],
    ['random_get', [8, bad]],
    ['random_get', [16, -8]],
    ['args_sizes_get', [bad, 8]],
    ['args_sizes_get', [8, bad]],
    ['args_get', [bad, 300]],
    ['args_get', [200, bad]],
    ['environ_sizes_get', [bad, 8]],
    ['environ_get', [200, bad]],
    ['poll_oneoff', [bad, 600, 1, 96]],
    ['poll_oneoff', [512, bad, 1, 96]],
    ['poll_oneoff', [512, 600, 1, bad]],
    ['poll_oneoff', [512, 600, 0x0555_5556, 96]],
    ['poll_oneoff', [512, 600, -1, 96]],
  ];

  it.each([BYTES - 3, BYTES, BYTES + 1, 0x7fffffff, -4, -1])('refuses pointer %d everywhere', (bad) => {
    const outside = device.machine.readMemory(memory + BYTES, 64);
    for (const [name, args] of hostile(bad)) {
      // 16: a good vector; 24: one whose bytes lie outside.
      put(16, 1000, 4, bad, 8);
      expect(call(name, ...args), `${name}(${args.join(', ')})`).toBe(FAULT);
    }
    expect(device.machine.readMemory(memory + BYTES, 64)).toEqual(outside);
  });

  it('needs no more stack than compiled code leaves', () => {
    // All calls above, with the frames of mailbox and wrapper counted in.
    const bottom = device.address(LinkerSymbol.WasmStackBottom);
    const stack = device.machine.readMemory(bottom, device.address(LinkerSymbol.WasmStackTop) - bottom);
    const depth = stack.length - stack.findIndex((byte) => byte !== UNTOUCHED);
    expect(depth).toBeGreaterThan(100);
    expect(depth).toBeLessThanOrEqual(STACK_RESERVE_BYTES);
  });

  it('takes the memory of the module that calls, not of the one that was entered', async () => {
    const assembler = await wabt();
    const parse = (name: string, text: string): Uint8Array => assembler.parseWat(name, text).toBinary({}).buffer;
    const printer = parse(
      'printer.wat',
      `(module (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
        (memory 1 1) (data (i32.const 16) "\\20\\00\\00\\00\\02\\00\\00\\00") (data (i32.const 32) "ok")
        (func (export "print") (drop (call $w (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))))`,
    );
    const caller = parse(
      'caller.wat',
      `(module (import "printer" "print" (func $print)) (memory 1 1) (data (i32.const 16) "\\ff\\ff\\ff\\ff")
        (func (export "_start") (call $print)))`,
    );
    const inputs = [
      { file: 'caller.wasm', bytes: caller },
      { file: 'printer.wasm', bytes: printer },
    ];
    const { linked } = buildImage(inputs, { board: ESP32, compile: {} });
    expect(new Device(linked).settle().console).toBe('ok');
  });
});
