// Two real edges in one process that share registry, events and packages, as they do over a network; and small modules to
// run on them. Gives the URL of the first one's page.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EdgeServer } from '../../edge/server/edge-server.js';
import { SharedFleet } from '../../edge/server/shared-fleet.js';
import { assemble, modelsOf } from '../../edge/test-support/edge.js';
import type { TypeEntry } from '../../manifest/file.js';
import { embedManifest } from '../../manifest/section.js';
import { wat } from '../support/wat.js';

export interface RealFleet {
  readonly url: string;
  readonly hub: EdgeServer;
  readonly cloud: EdgeServer;
  close(): Promise<void>;
}

export async function startFleet(): Promise<RealFleet> {
  const shared = new SharedFleet();
  const edge = (name: string, httpPort: number | null): EdgeServer =>
    new EdgeServer({ name, dataDirectory: null, httpPort, coapPort: null, fleet: shared.member() });
  const hub = edge('hub', 0);
  const cloud = edge('cloud', null);
  await cloud.start();
  await hub.start();
  const close = async (): Promise<void> => {
    await hub.close();
    await cloud.close();
  };
  return { url: hub.url!, hub, cloud, close };
}

const TYPES: Record<string, TypeEntry> = { value: { type: 'record', fields: [{ name: 'sum', type: 'u32' }] } };

/** GET /count: one more each time, so that a lost or doubled state shows. */
export async function counter(name = 'counter', version = '1.0.0'): Promise<Uint8Array> {
  const path = name === 'counter' ? '/count' : `/${name}`;
  const provides = [{ method: 'GET', path, handler: 'count', contract: { response: 'value' } }] as const;
  const text = `(module (memory (export "memory") 1 2) (global $sum (mut i32) (i32.const 0))
    (func (export "count") (param i32 i32 i32 i32) (result i32)
      (global.set $sum (i32.add (global.get $sum) (i32.const 1)))
      (i32.store (local.get 2) (global.get $sum)) (i32.const 0x45000004)))`;
  const [model] = modelsOf([{ name, version, provides: [...provides], wat: text }], TYPES);
  return embedManifest(await assemble(text), model!.travelling);
}

const clang = ['clang-22', 'clang-21', 'clang-20', 'clang-19', 'clang'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);
/** Whether faults of `faulty` have source lines. */
export const hasLines = clang !== undefined;

const FAULTY_C = `static int __attribute__((noinline)) divide(int a, volatile int *b) {

  return a / *b;
}
__attribute__((export_name("get_ratio"))) int get_ratio(int grant, int length, int out, int capacity) {
  volatile int zero = 0;
  return divide(out | 1, &zero) + 1;
}
`;

/** GET /ratio: traps in `divide`, line 3 of NAME.c. */
export async function faulty(name = 'faulty'): Promise<Uint8Array> {
  const provides = [{ method: 'GET' as const, path: '/ratio', handler: 'get_ratio', contract: { response: 'value' } }];
  const [model] = modelsOf([{ name, provides, wat: '' }], TYPES);
  return embedManifest(clang === undefined ? await faultyText() : compiled(clang, `${name}.c`), model!.travelling);
}

const faultyText = (): Promise<Uint8Array> =>
  wat(
    `(module (memory (export "memory") 1) (func $divide (result i32) unreachable)
      (func $get_ratio (export "get_ratio") (param i32 i32 i32 i32) (result i32) call $divide))`,
    { names: true },
  );

function compiled(program: string, file: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'faulty-'));
  try {
    writeFileSync(join(folder, file), FAULTY_C);
    const run = (...args: string[]): unknown => execFileSync(program, ['--target=wasm32', ...args], { cwd: folder });
    run('-g', '-O1', '-c', file, '-o', 'faulty.o');
    // By itself: with -O clang lets wasm-opt, if there is one, change the code and not its lines.
    run('-nostdlib', '-Wl,--no-entry', '-o', 'faulty.wasm', 'faulty.o');
    return new Uint8Array(readFileSync(join(folder, 'faulty.wasm')));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
