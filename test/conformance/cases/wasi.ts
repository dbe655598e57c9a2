// WASI preview 1: console, arguments, environment, clocks, random numbers, errors; also with windows as buffers.
import { handler, IMPORTS, word } from '../../os/os-device.js';
import type { Case, CaseModule, Step } from '../case.js';

const bytes = (max: number) => ({ type: 'bytes', max }) as const;
const FUNCTIONS: Readonly<Record<string, string>> = {
  fd_write: 'i32 i32 i32 i32',
  fd_read: 'i32 i32 i32 i32',
  fd_close: 'i32',
  fd_seek: 'i32 i64 i32 i32',
  fd_fdstat_get: 'i32 i32',
  fd_filestat_get: 'i32 i32',
  fd_prestat_get: 'i32 i32',
  clock_res_get: 'i32 i32',
  clock_time_get: 'i32 i64 i32',
  random_get: 'i32 i32',
  sched_yield: '',
  args_sizes_get: 'i32 i32',
  args_get: 'i32 i32',
  environ_sizes_get: 'i32 i32',
  environ_get: 'i32 i32',
  poll_oneoff: 'i32 i32 i32 i32',
  path_open: 'i32 i32 i32 i32 i32 i64 i64 i32 i32',
};
const WASI_IMPORTS = Object.entries(FUNCTIONS)
  .map(
    ([name, params]) =>
      `(import "wasi_snapshot_preview1" "${name}" (func $${name} ${params === '' ? '' : `(param ${params})`} (result i32)))`,
  )
  .join('\n');

/** Calls in turn; the answer is their errors, a byte each, then `bytes` of memory from 1024 on. */
const calls = (name: string, list: readonly string[], shown: number, entry: Partial<CaseModule> = {}): CaseModule => ({
  name,
  source: {
    wat: `${IMPORTS} ${WASI_IMPORTS} (memory (export "memory") 1)
      (data (i32.const 0) "hello, \\n world\\n") (data (i32.const 64) "\\00\\00\\00\\00\\07\\00\\00\\00\\08\\00\\00\\00\\08\\00\\00\\00")
      (data (i32.const 96) "\\00\\00\\00\\70\\04\\00\\00\\00") (data (i32.const 900) "/dev/console")
      (data (i32.const 2116) "\\01\\00\\00\\00\\00\\00\\00\\00\\40\\42\\0f")
      ${handler(
        'run',
        `${list.map((call, i) => `(i32.store8 offset=${i} (local.get $r) ${call})`).join('\n')}
        (memory.copy (i32.add (local.get $r) (i32.const ${list.length})) (i32.const 1024) (i32.const ${shown}))
        (i32.const ${word(2.05, list.length + shown) | 0})`,
      )}`,
  },
  ...entry,
  memory: { max: 65536 },
  provides: [
    {
      method: 'POST',
      path: `/${name}`,
      handler: 'run',
      contract: { request: bytes(64), response: bytes(160), deadline: '50ms' },
    },
  ],
});
const i = (...values: number[]): string => values.map((value) => `(i32.const ${value})`).join(' ');
const run = (name: string): Step => ({ ask: 'POST', uri: `/${name}`, payload: 'window' });

export const WASI: readonly Case[] = [
  {
    name: 'WASI: console and descriptors',
    shows:
      'what is printed, by fd_write and /dev/console; descriptors that there are and are not; addresses out of bounds; what is not there',
    modules: [
      calls(
        'io',
        [
          `(call $fd_write ${i(1, 64, 2, 1024)})`,
          `(call $fd_write ${i(2, 64, 1, 1028)})`,
          `(call $fd_write ${i(0, 64, 1, 1032)})`,
          `(call $fd_write ${i(3, 64, 1, 1032)})`,
          `(call $fd_write ${i(1, 96, 1, 1032)})`,
          `(call $fd_write ${i(1, 70000, 1, 1032)})`,
          `(call $fd_write ${i(1, 64, 1, 70000)})`,
          `(call $fd_write ${i(1, 64, 0x20000000, 1032)})`,
          `(call $fd_write ${i(1, 64, 0, 1032)})`,
          `(call $fd_read ${i(1, 64, 1, 1032)})`,
          `(call $fd_close ${i(1)})`,
          `(call $fd_close ${i(3)})`,
          `(call $fd_seek ${i(1)} (i64.const 0) ${i(0, 1024)})`,
          `(call $fd_seek ${i(9)} (i64.const 0) ${i(0, 1024)})`,
          `(call $fd_fdstat_get ${i(0, 1040)})`,
          `(call $fd_fdstat_get ${i(3, 1040)})`,
          `(call $fd_fdstat_get ${i(0, 65530)})`,
          `(call $fd_filestat_get ${i(1, 1064)})`,
          `(call $fd_prestat_get ${i(3, 1024)})`,
          `(call $path_open ${i(3, 0, 0, 4, 0)} (i64.const 0) (i64.const 0) ${i(0, 1024)})`,
          '(call $sched_yield)',
          `(i32.shr_u (call $request ${i(2, 900, 12, 0, 5, 0, 0)}) (i32.const 24))`,
          `(i32.shr_u (call $request ${i(2, 900, 12, 0, 15, 0, 0)}) (i32.const 24))`,
        ],
        112,
        { requires: [{ path: '/dev/console', methods: ['POST'] }] },
      ),
    ],
    steps: [run('io')],
  },
  {
    name: 'WASI: arguments, environment, clocks, random numbers',
    shows: 'strings and their sizes; clocks that there are; waiting; buffers that are windows',
    modules: [
      calls(
        'host',
        [
          `(call $args_sizes_get ${i(1024, 1028)})`,
          `(call $args_get ${i(1032, 1048)})`,
          `(call $environ_sizes_get ${i(1064, 1068)})`,
          `(call $environ_get ${i(1072, 1080)})`,
          `(call $args_get ${i(65534, 1048)})`,
          `(call $environ_get ${i(1072, 65535)})`,
          `(call $clock_res_get ${i(1, 1100)})`,
          `(call $clock_res_get ${i(4, 1100)})`,
          `(call $clock_time_get ${i(1)} (i64.const 0) ${i(2000)})`,
          `(call $clock_time_get ${i(7)} (i64.const 0) ${i(2000)})`,
          `(call $clock_time_get ${i(1)} (i64.const 0) ${i(65530)})`,
          `(call $random_get ${i(2016, 32)})`,
          `(call $random_get ${i(65530, 32)})`,
          `(call $random_get (i32.add (local.get $r) (i32.const 152)) (i32.const 8))`,
          `(call $random_get (i32.add (local.get $r) (i32.const 152)) (i32.const 9))`,
          `(call $random_get (local.get $p) (i32.const 4))`,
          `(i32.ne (i32.or (i32.load (i32.const 2016)) (i32.load (i32.const 2020))) (i32.const 0))`,
          `(call $poll_oneoff ${i(2100, 2200, 0, 2300)})`,
          `(call $poll_oneoff ${i(2100, 2200, 1, 1096)})`,
          `(call $poll_oneoff ${i(2100, 65530, 1, 1096)})`,
        ],
        96,
        { args: ['host', '--fast', 'ä'], env: { HOME: '/', LANG: 'de' } },
      ),
    ],
    steps: [run('host')],
  },
];
