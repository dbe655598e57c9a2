// The command line `thingspire` from outside, against edges in processes of their own: every command, its output as text
// and JSON, its exit codes.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { assemble } from '../../edge/test-support/edge.js';
import { CliClient, type Result } from './cli-client.js';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const TSX = import.meta.resolve('tsx');
const LONG = { timeout: 120_000 };

const COUNTER = `(module
  (import "thingspire" "log" (func $log (param i32 i32)))
  (import "thingspire" "notify" (func $notify (param i32 i32) (result i32)))
  (memory (export "memory") 1) (global $sum (mut i32) (i32.const 0))
  (data (i32.const 16) "counted") (data (i32.const 32) "count")
  (func (export "get") (param i32 i32 i32 i32) (result i32)
    (i32.store (local.get 2) (global.get $sum)) (i32.const 0x45000004))
  (func (export "count") (param i32 i32 i32 i32) (result i32)
    (global.set $sum (i32.add (global.get $sum) (i32.load (local.get 0))))
    (call $log (i32.const 16) (i32.const 7))
    (drop (call $notify (i32.const 32) (i32.const 5)))
    (i32.store (local.get 2) (global.get $sum)) (i32.const 0x45000004))
  (func $inner (unreachable))
  (func (export "fail") (param i32 i32 i32 i32) (result i32) (call $inner) (i32.const 0)))`;
const record = (name: string) => ({ type: 'record', fields: [{ name, type: 'u32' }] });
const THINGS = {
  name: 'hall',
  version: '1.0.0',
  modules: [
    {
      name: 'counter',
      wasm: 'counter.wasm',
      version: '1.2.3',
      restart: { policy: 'on-fault', backoff: '1ms' },
      provides: [
        { method: 'GET', path: '/count', handler: 'get', observable: true, contract: { response: record('sum') } },
        {
          method: 'POST',
          path: '/count',
          handler: 'count',
          contract: { request: record('by'), response: record('sum') },
        },
        { method: 'POST', path: '/fail', handler: 'fail' },
      ],
    },
  ],
};

/** A process until its output matches; what it has printed. */
class Program {
  text = '';
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  private constructor(script: string, args: readonly string[], cwd: string) {
    this.child = spawn(process.execPath, ['--import', TSX, join(FOLDER, script), ...args], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout!, this.child.stderr!])
      stream.on('data', (data: Buffer) => (this.text += data.toString()));
    this.ended = new Promise((resolve) => this.child.once('exit', resolve));
  }
  static async start(script: string, args: readonly string[], cwd: string, ready: RegExp): Promise<Program> {
    const program = new Program(script, args, cwd);
    await vi.waitFor(() => expect(program.text).toMatch(ready), { timeout: 60_000, interval: 20 });
    return program;
  }
  stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return this.ended;
  }
}

let folder = '';
let edges: Program;
let urls: string[];
let client: CliClient;
const cli = (...argv: string[]): Promise<Result> => client.run(...argv);
/** What a command prints as JSON. */
async function json<T = Record<string, unknown>>(...argv: string[]): Promise<T> {
  const { stdout, stderr, code } = await cli(...argv, '--json');
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as T;
}
/** Standard output of a command that went well. */
async function text(...argv: string[]): Promise<string> {
  const { stdout, stderr, code } = await cli(...argv);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'thingspire-'));
  writeFileSync(join(folder, 'counter.wasm'), await assemble(COUNTER));
  writeFileSync(join(folder, 'things.json'), JSON.stringify(THINGS));
  edges = await Program.start('two-edges.ts', [], folder, /\]\n/);
  urls = JSON.parse(edges.text) as string[];
  client = new CliClient(folder, 'thingspire', { THINGSPIRE_URL: urls[0]! });
}, 120_000);
afterAll(async () => {
  client?.close();
  await edges?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('commands', LONG, () => {
  it('deploys', async () => {
    expect(await text('deploy', 'things.json', '--dry-run')).toBe('hall/counter 1.2.3 would run at edge:house\n');
    expect(await json('ls')).toEqual([]);
    expect(await json('deploy', 'things.json')).toMatchObject([
      { thing: 'hall', module: 'counter', version: '1.2.3', place: 'edge:house', epoch: 1 },
    ]);
    expect(await json('deploy', 'things.json', '--to', 'attic', '--thing', 'yard')).toMatchObject([
      { thing: 'yard', place: 'edge:attic' },
    ]);
  });

  it('lists modules, services and places', async () => {
    expect(await text('ls')).toMatch(/^THING +MODULE +VERSION +PLACE +STATE +CALLS +FAULTS\nhall +counter +1\.2\.3 /);
    expect(await json<{ thing: string; place: string }[]>('ls')).toMatchObject([
      { thing: 'hall', place: 'edge:house' },
      { thing: 'yard', place: 'edge:attic' },
    ]);
    expect(await text('ls', 'hall')).toMatch(/\nGET +\/count +counter +yes/);
    expect(await json('ls', '--places')).toMatchObject([{ name: 'edge:house' }, { name: 'edge:attic' }]);
  });

  it('calls, also what runs elsewhere', async () => {
    expect(await text('call', 'POST', 'hall/count', '{"by": 5}')).toBe('{"sum":5}\n');
    expect(await text('call', 'post', '/yard/count', '{"by": 7}')).toBe('{"sum":7}\n');
    expect(await json('call', 'GET', 'hall/count')).toEqual({
      status: 200,
      type: 'application/json',
      payload: { sum: 5 },
    });
    const refused = await cli('call', 'POST', 'hall/count', '{"by": "x"}');
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^400 /);
    expect((await cli('call', 'GET', 'hall/nothing')).stderr).toBe('4.04 not found\n');
  });

  it('follows a service across a move', async () => {
    const follower = new CliClient(folder, 'thingspire', { THINGSPIRE_URL: urls[1]! });
    const lines = follower.run('call', 'GET', 'hall/count', '--observe', '--count', '4');
    let done = false;
    void lines.then(() => (done = true));
    const calling = async (): Promise<void> => {
      const { status } = await fetch(`${urls[0]}/things/hall/count`, {
        method: 'POST',
        body: '{"by": 1}',
        headers: { 'content-type': 'application/json' },
      });
      expect(status).toBe(200);
    };
    expect(await json('migrate', 'hall/counter', '--to', 'edge:attic')).toMatchObject({ step: 'done', progress: 1 });
    while (!done) {
      await calling();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { code, stdout } = await lines;
    follower.close();
    expect(code).toBe(0);
    const sums = stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { sum: number }).sum);
    expect(sums).toHaveLength(4);
    expect(sums).toEqual([...sums].sort((a, b) => a - b));
    expect(sums[0]).toBeGreaterThanOrEqual(5);
  });

  it('migrates with state, by short names', async () => {
    const before = (await json<{ payload: { sum: number } }>('call', 'GET', 'hall/count')).payload.sum;
    expect(await text('migrate', 'hall/counter', '--to', 'house')).toMatch(
      /^hall\/counter: edge:attic -> edge:house, paused [\d.]+ ms, [\d.]+ KiB of state\n$/,
    );
    expect(await json('call', 'GET', 'hall/count')).toMatchObject({ payload: { sum: before } });
  });

  it('shows logs and faults with names', async () => {
    expect((await cli('call', 'POST', 'hall/fail')).code).toBe(1);
    await vi.waitFor(async () => expect(await text('logs', 'hall')).toMatch(/fault/), { timeout: 30_000 });
    const logs = await text('logs', 'hall/counter', '--since', '1h');
    expect(logs).toMatch(/hall\/counter\| counted\n/);
    expect(logs).toMatch(/hall\/counter\| fault at edge:house: trap: unreachable\n {2}#0 func \d+ \S* @0x[0-9a-f]+\n/);
    expect(logs).not.toMatch(/yard/);
    const { stdout } = await cli('logs', 'hall', '--json');
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; time: number });
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['log', 'fault']));
    expect(await text('logs', 'hall', '--since', '2126-01-01')).toBe('');
  });

  it('shows what is busy', async () => {
    expect(await text('top', '--once')).toMatch(/^THING +MODULE +PLACE +STATE +CALLS\/S .*\n(hall|yard) /);
    const { modules } = await json<{ modules: object[] }>('top', '--once');
    expect(modules).toHaveLength(2);
    expect(modules[0]).toMatchObject({ module: 'counter', memoryBytes: 65536 });
  });

  it('stops, starts and removes', async () => {
    expect(await text('stop', 'yard/counter')).toBe('yard/counter at edge:attic is stopped\n');
    expect((await cli('call', 'GET', 'yard/count')).stderr).toMatch(/^5\.03 /);
    expect(await json('start', 'yard/counter')).toMatchObject({ done: 'start' });
    await vi.waitFor(async () => expect(await text('call', 'GET', 'yard/count')).toBe('{"sum":0}\n'), {
      timeout: 30_000,
    });
    expect(await text('restart', 'yard/counter')).toMatch(/is restarted/);
    expect(await text('rm', 'yard/counter')).toBe('yard/counter at edge:attic is removed\n');
    expect((await cli('call', 'GET', 'yard/count')).stderr).toMatch(/^4\.04 /);
  });

  it('completes names', async () => {
    const complete = async (...words: string[]): Promise<string[]> =>
      (await cli('--get-yargs-completions', 'thingspire', ...words)).stdout.trim().split('\n');
    expect(await complete('migrate', 'ha')).toEqual(['hall/counter']);
    expect(await complete('migrate', 'hall/counter', '--to', '')).toEqual(['edge:house', 'edge:attic']);
    expect(await complete('call', 'po')).toEqual(['POST']);
    expect(await complete('call', 'POST', 'hall/')).toEqual(['hall/count', 'hall/fail']);
    expect(await complete('mi')).toContain('migrate');
    expect(await text('completion')).toMatch(/--get-yargs-completions/);
  });

  it.each([
    [1, 'W901', ['migrate', 'nobody', '--to', 'house']],
    [1, 'W901', ['migrate', 'counter', '--to', 'cellar']],
    [1, 'W902', ['migrate', 'counter', '--to', 'house']],
    [1, 'W902', ['ls', '--url', 'http://127.0.0.1:1']],
    [1, 'W601', ['deploy', 'none.json']],
    [2, 'W605', ['ls', '--url', 'no url']],
    [2, 'W605', ['logs', '--since', 'soon']],
    [2, 'W605', ['call', 'FETCH', 'hall/count']],
    [2, 'W605', ['migrate', 'counter']],
    [2, 'W605', ['fly']],
  ])('ends with %i and %s: %j', async (code, number, argv) => {
    const plain = await cli(...argv);
    expect(plain).toMatchObject({ code, stdout: '' });
    expect(plain.stderr).toMatch(new RegExp(`^error ${number}: `));
    const asJson = await cli(...argv, '--json');
    expect(asJson).toMatchObject({ code, stderr: '' });
    expect(JSON.parse(asJson.stdout)).toMatchObject({ error: { code: number } });
  });
});

describe('thingspire edge', LONG, () => {
  let edge: Program | null = null;
  afterEach(async () => {
    await edge?.stop();
    edge = null;
  });
  const start = (...args: string[]): Promise<Program> =>
    Program.start('thingspire.ts', ['edge', ...args, '--http', '0', '--coap', 'off'], folder, /^http:.*\n/m);
  const urlOf = (program: Program): string => /^http:\S+/m.exec(program.text)![0];

  it('has its modules again after a restart, and keeps what was deployed', async () => {
    edge = await start('things.json', '--data', 'data');
    const count = async (): Promise<unknown> => {
      const { payload } = await json('call', 'GET', 'hall/count', '--url', urlOf(edge!));
      return payload;
    };
    expect(await count()).toEqual({ sum: 0 });
    expect(await edge.stop()).toBe(0);
    edge = await start('--data', 'data');
    expect(await count()).toEqual({ sum: 0 });
    const modules = await json<object[]>('ls', '--url', urlOf(edge));
    expect(modules).toMatchObject([{ thing: 'hall', module: 'counter', place: 'edge:edge', epoch: 1 }]);
    expect(await edge.stop()).toBe(0);
    // The same version again is not deployed anew.
    edge = await start('things.json', '--data', 'data');
    expect(await json('ls', '--url', urlOf(edge))).toMatchObject([{ epoch: 1 }]);
  });

  it('prints events as lines of JSON', async () => {
    edge = await start('things.json', '--json', '--name', 'talker');
    await text('call', 'POST', 'hall/count', '{"by": 1}', '--url', urlOf(edge));
    await vi.waitFor(() => expect(edge!.text).toMatch(/^\{"type":"log".*"text":"counted"\}$/m), { timeout: 30_000 });
  });

  it('says what is wrong', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    const result = await cli('edge', '--http', String(port), '--coap', 'off');
    expect(result).toMatchObject({ code: 1 });
    expect(result.stderr).toMatch(/^error W902: .*EADDRINUSE/);
    taken.close();
    expect((await cli('edge', '--name', 'No Name')).stderr).toMatch(/^error W605: /);
    expect((await cli('edge', '--device', 'porch')).stderr).toMatch(/^error W904: /);
    expect((await cli('edge', '--http', '99999')).stderr).toMatch(/^error W605: /);
  });
});
