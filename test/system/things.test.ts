// The command line's way with applications of the device OS, from outside: build, a fault on the simulated board and
// what explain makes of it, packages, modules that carry their manifest, stubs, and every kind of bad input.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IMAGE_FLASH_OFFSET, ESP32 } from '../../compiler/abi/boards.js';
import { buildRuntime } from '../../firmware/build.js';
import { readPublicKey } from '../../manifest/keys.js';
import { readPackage } from '../../manifest/package.js';
import { Machine } from '../../simulator/machine.js';
import { wat } from '../support/wat.js';
import { CliClient } from './cli-client.js';

const clang = ['clang-22', 'clang-21', 'clang-20', 'clang-19', 'clang-16', 'clang'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);
const C_SOURCE = `__attribute__((noinline)) static int inner(volatile int *p, int n) {
  if (n == 0)
    return *(volatile int *)0x7fff0000;
  return inner(p, n - 1) + *p;
}
static volatile int cell;
__attribute__((export_name("on_timer"))) void on_timer(int timer) {
  cell = inner(&cell, timer + 2);
}
__attribute__((import_module("thingspire"), import_name("timer"))) int start_timer(int, int, int);
__attribute__((export_name("on_start"))) void on_start(void) {
  start_timer(0, 5, 0);
}
`;
const GREETER = `(module
  (import "thingspire" "log" (func $log (param i32 i32)))
  (memory 1) (data (i32.const 8) "hello")
  (func (export "get") (param i32 i32 i32 i32) (result i32)
    (call $log (i32.const 8) (i32.const 5)) (i32.const 0x45)))`;

const TALKER = `(module
  (import "thingspire" "call" (func $call (param i32 i32 i32 i32 i32) (result i32)))
  (func (export "on_start") (drop (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))))`;

let folder: string;
let client: CliClient;
const path = (name: string): string => join(folder, name);
const things = (more: object = {}, modules: object[] = []): string =>
  JSON.stringify({
    name: 'app',
    version: '1.0.0',
    modules: [
      {
        name: 'greeter',
        wasm: 'greeter.wasm',
        version: '2.3.4',
        memory: { max: 1024 },
        provides: [{ method: 'GET', path: '/greeting', handler: 'get', contract: { deadline: '2ms' } }],
      },
      ...modules,
    ],
    ...more,
  });
const slots = { slots: [{ name: 'spare', pages: 1, ram: 16384 }], publicKey: 'key.pub.pem' };

beforeAll(async () => {
  await buildRuntime();
  folder = mkdtempSync(join(tmpdir(), 'things-'));
  writeFileSync(path('greeter.wasm'), await wat(GREETER));
  writeFileSync(path('things.json'), things());
  writeFileSync(path('slots.json'), things(slots));
  client = new CliClient(folder);
}, 60_000);
afterAll(() => {
  client.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Boots an image; what is on the console after a time. */
function consoleOf(image: Uint8Array, milliseconds: number): string {
  let text = '';
  const machine = new Machine({
    board: ESP32,
    onConsole: (bytes) => {
      text += Buffer.from(bytes).toString('latin1');
    },
  });
  machine.loadFlash(image, IMAGE_FLASH_OFFSET);
  machine.resetFromRom();
  machine.run({ maxCycles: (milliseconds * ESP32.cpuHz) / 1000 });
  return text;
}

describe('build things.json', () => {
  it('gives image, ELF, map and a bill by module', async () => {
    const result = await client.run('build', 'things.json', '-o', 'app.bin', '--elf', 'app.elf', '--map', 'app.map');
    expect(result).toMatchObject({ code: 0, stdout: '' });
    expect(result.stderr).toMatch(/greeter 2\.3\.4 +\d+ +0 /);
    expect(result.stderr).toContain('GET /greeting (greeter, at most 2 ms)');
    expect(existsSync(path('app.slots.json'))).toBe(false);
    expect(readFileSync(path('app.map'), 'utf8')).toContain('greeter$stack_bottom');
    expect((await client.run('verify', 'app.elf')).stdout).toContain('verified');
  });
  it('runs at once in the simulator', async () => {
    writeFileSync(path('talker.wasm'), await wat(TALKER));
    const talker = {
      name: 'talker',
      wasm: 'talker.wasm',
      version: '1.0.0',
      eventDeadline: '5ms',
      startDeadline: '5ms',
    };
    writeFileSync(path('talk.json'), things({}, [{ ...talker, requires: [{ path: '/greeting', methods: ['GET'] }] }]));
    expect(await client.run('run', 'talk.json', '--timeout', '0.2')).toMatchObject({
      code: 0,
      stdout: '[greeter] hello\n',
    });
  });
  it('gives the same bill as JSON', async () => {
    const { stdout } = await client.run('build', 'things.json', '-o', 'app.bin', '--json');
    const bill = JSON.parse(stdout) as { device: { modules: unknown[]; routes: string[] }; warnings: unknown[] };
    expect(bill.device.modules).toMatchObject([{ name: 'greeter', version: '2.3.4', stack: 4096, irom: 0 }]);
    expect(bill.warnings).toEqual([]);
  });
  it('builds a module that carries its manifest just so', async () => {
    expect(
      await client.run('manifest', 'embed', 'things.json', '--module', 'greeter', '-o', 'carrier.wasm'),
    ).toMatchObject({ code: 0 });
    expect((await client.run('manifest', 'show', 'carrier.wasm')).stdout).toContain('"/greeting"');
    await client.run('build', 'things.json', '-o', 'one.bin', '-q');
    const result = await client.run('build', 'carrier.wasm', '-o', 'two.bin');
    expect(result).toMatchObject({ code: 0 });
    expect(result.stderr).toContain('GET /greeting (greeter, at most 2 ms)');
    // The image knows the application's name, which is the module's here.
    const bytes = (file: string): number => readFileSync(path(file)).length;
    expect(Math.abs(bytes('two.bin') - bytes('one.bin'))).toBeLessThanOrEqual(32);
    expect(await client.run('build', 'carrier.wasm', 'greeter.wasm', '-o', 'x.bin')).toMatchObject({ code: 2 });
  });
  it('tells all faults, each with its place', async () => {
    const bad = things({}, [
      {
        name: 'greeter',
        wasm: 'greeter.wasm',
        version: '1.0.0',
        provides: [{ method: 'GET', path: '/greeting', handler: 'get' }],
      },
    ]);
    writeFileSync(path('bad.json'), bad);
    const result = await client.run('build', 'bad.json', '-o', 'bad.bin');
    expect(result.code).toBe(1);
    expect(result.stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/^error W804: .*\(bad\.json:1:\d+, \/modules\/1\/name\)$/),
      expect.stringMatching(/^error W804: .*\(bad\.json:1:\d+, \/modules\/1\/provides\/0\)$/),
    ]);
    const asJson = JSON.parse((await client.run('build', 'bad.json', '--json')).stdout) as {
      errors: { code: string }[];
    };
    expect(asJson.errors.map(({ code }) => code)).toEqual(['W804', 'W804']);
    expect(existsSync(path('bad.bin'))).toBe(false);
  });
  it('tells of all files that are missing where they are named', async () => {
    writeFileSync(
      path('gone.json'),
      things({ publicKey: 'no.pem' }, [{ name: 'm', wasm: 'nowhere.wasm', version: '1.0.0' }]),
    );
    const { stderr } = await client.run('build', 'gone.json');
    expect(stderr).toMatch(/W601: .*nowhere\.wasm \(gone\.json:1:\d+, \/modules\/1\/wasm\)/);
    expect(stderr).toMatch(/W601: .*no\.pem \(gone\.json:1:\d+, \/publicKey\)/);
  });
  it.each([
    [['build', 'missing.json'], 1, 'W601'],
    [['build', 'things.json', 'greeter.wasm'], 2, 'W605'],
    [['build', 'things.json', '--name', 'x'], 2, 'W605'],
    [['manifest', 'check', 'nowasm.json'], 1, 'W601'],
    [['manifest', 'show', 'greeter.wasm'], 1, 'W814'],
    [['manifest', 'show', 'things.json'], 1, 'W107'],
    [['package', 'greeter.wasm', '--base', 'app.slots.json', '--key', 'key.pem'], 1, 'W601'],
    [['stubs', 'things.json', '--lang', 'c', '--module', 'nobody'], 2, 'W605'],
    [['stubs', 'things.json', '--lang', 'cobol'], 2, 'W605'],
    [['explain', 'things.json', 'app.elf'], 1, 'W816'],
    [['explain', 'things.json', 'things.json'], 1, 'W701'],
  ])('%j is refused', async (argv, code, number) => {
    writeFileSync(path('nowasm.json'), things({}, [{ name: 'm', wasm: 'nowhere.wasm', version: '1.0.0' }]));
    const result = await client.run(...argv);
    expect(result.stderr).toContain(number);
    expect(result.code).toBe(code);
  });
});

describe('explain', () => {
  it.skipIf(clang === undefined)('names functions and source lines of a fault on the board', async () => {
    writeFileSync(path('faulty.c'), C_SOURCE);
    const flags = [
      '--target=wasm32',
      '--no-wasm-opt',
      '-g',
      '-O1',
      '-fno-optimize-sibling-calls',
      '-nostdlib',
      '-Wl,--no-entry',
      '-Wl,-z,stack-size=1024',
      '-Wl,--export=__heap_base',
    ];
    const compiled = spawnSync(clang!, [...flags, 'faulty.c', '-o', 'faulty.wasm'], { cwd: folder, encoding: 'utf8' });
    expect(compiled.stderr).toBe('');
    writeFileSync(path('faulty.json'), things({}, [{ name: 'faulty', wasm: 'faulty.wasm', version: '0.0.1' }]));
    expect(await client.run('build', 'faulty.json', '-o', 'f.bin', '--elf', 'f.elf', '-q')).toMatchObject({ code: 0 });
    const text = consoleOf(readFileSync(path('f.bin')), 60);
    expect(text).toContain('fault: module faulty 0.0.1: trap: out of bounds memory access');
    writeFileSync(path('console.txt'), text);
    const { code, stdout } = await client.run('explain', 'console.txt', 'f.elf', '--wasm', 'faulty.json');
    expect(code).toBe(0);
    expect(stdout).toMatch(/#0 func \d+ inner @0x[0-9a-f]+ {2}faulty\.c:3:/);
    expect(stdout).toMatch(/#1 func \d+ inner @0x[0-9a-f]+ {2}faulty\.c:4:/);
    expect(stdout).toMatch(/func \d+ on_timer @0x[0-9a-f]+ {2}faulty\.c:8:/);
    const json = JSON.parse(
      (await client.run('explain', 'console.txt', 'f.elf', '--wasm', 'faulty=faulty.wasm', '--json')).stdout,
    ) as {
      reports: { module: string; version: string; frames: { name: string; source: { line: number } }[] }[];
    };
    expect(json.reports[0]).toMatchObject({ module: 'faulty', version: '0.0.1' });
    expect(json.reports[0]!.frames[0]).toMatchObject({ name: 'inner', source: { line: 3 } });
    // Without the .wasm there are names alone.
    expect((await client.run('explain', 'console.txt', 'f.elf')).stdout).toMatch(/#0 func \d+ inner @0x[0-9a-f]+\n/);
  });
});

describe('packages', () => {
  it('are made with a key, for a slot, and proved', async () => {
    expect(await client.run('keygen', 'key')).toMatchObject({ code: 0 });
    expect(statSync(path('key.pem')).mode & 0o777).toBe(0o600);
    expect((await client.run('keygen', 'key')).stderr).toContain('W602');
    const built = await client.run('build', 'slots.json', '-o', 'base.bin', '--elf', 'base.elf', '-q');
    expect(built).toMatchObject({ code: 0, stderr: '' });
    const made = await client.run(
      'package',
      'slots.json',
      '--base',
      'base.slots.json',
      '--key',
      'key.pem',
      '--elf',
      'p.elf',
    );
    expect(made).toMatchObject({ code: 0 });
    const publicKey = readPublicKey(readFileSync(path('key.pub.pem')), 'key.pub.pem');
    const { header } = readPackage(readFileSync(path('greeter.tsp')), 'greeter.tsp', publicKey);
    expect(header['version']).toBe((2 << 20) | (3 << 10) | 4);
    expect((await client.run('verify', 'p.elf')).stdout).toContain('verified');
    const shown = await client.run('inspect', 'greeter.tsp', '--key', 'key.pub.pem');
    expect(shown.stdout).toMatch(/^package of greeter 2\.3\.4, \d+ bytes\n(.*\n)+signed with this key\n$/);
    expect((await client.run('inspect', 'greeter.tsp')).stdout).toContain('signature not checked');
    const info = await client.run(
      'package',
      'carrier.wasm',
      '--slot',
      'spare',
      '--base',
      'base.slots.json',
      '--key',
      'key.pem',
      '--json',
    );
    expect(JSON.parse(info.stdout)).toMatchObject({ output: 'greeter.tsp', module: 'greeter', slot: 'spare' });
    // The ELF says what the .slots.json says.
    const argv = ['package', 'slots.json', '--base', 'base.elf', '--key', 'key.pem', '-o', 'same.tsp'];
    expect(await client.run(...argv)).toMatchObject({ code: 0 });
    await client.run('package', 'slots.json', '--base', 'base.slots.json', '--key', 'key.pem', '-o', 'greeter.tsp');
    expect(readFileSync(path('same.tsp')).equals(readFileSync(path('greeter.tsp')))).toBe(true);
  });
  it('say whose they are not', async () => {
    await client.run('keygen', 'other');
    expect(await client.run('inspect', 'greeter.tsp', '--key', 'other.pub.pem')).toMatchObject({ code: 1 });
    writeFileSync(path('cut.tsp'), readFileSync(path('greeter.tsp')).subarray(0, 60));
    expect((await client.run('inspect', 'cut.tsp')).stderr).toContain('W815');
  });
  it.each([
    [['--slot', 'nowhere'], 'W812'],
    [['--module', 'nobody'], 'W605'],
    [['--key', 'key.pub.pem'], 'W813'],
    [['--key', 'things.json'], 'W813'],
    [['--base', 'things.json'], 'W812'],
    [['--base', 'base.bin'], 'W801'],
    [['--cfi', 'full'], 'W406'],
  ])('%j is refused', async (more, number) => {
    const argv = ['package', 'slots.json', '--base', 'base.slots.json', '--key', 'key.pem', ...more];
    const result = await client.run(...argv);
    expect(result.stderr).toContain(number);
    expect([1, 2]).toContain(result.code);
  });
});

describe('stubs', () => {
  it('are written for every module, or printed for one', async () => {
    expect(await client.run('stubs', 'things.json', '--lang', 'c', '-o', 'stubs/c')).toMatchObject({ code: 0 });
    const text = readFileSync(path('stubs/c/greeter_things.h'), 'utf8');
    expect(text).toContain('TS_EXPORT("get") ts_result get(');
    expect((await client.run('stubs', 'things.json', '--lang', 'c', '-o', '-')).stdout).toBe(text);
  });
});
