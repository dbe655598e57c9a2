// The CLI from outside: every command, its output, its exit codes, and every kind of bad input.
import {
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import wabtModule from 'wabt';
import { readFlashImage } from '../../linker/image/read.js';
import { CliClient, runProcess } from './cli-client.js';
import type { Result } from './cli-client.js';

const MATHS = `(module
  (memory (export "memory") 1)
  (global (export "answer") i32 (i32.const 42))
  (func $add (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "mul64") (param i64 i64) (result i64) (i64.mul (local.get 0) (local.get 1)))
  (func (export "half") (param f32) (result f32) (f32.mul (local.get 0) (f32.const 0.5)))
  (func (export "sum") (param f64 f64) (result f64) (f64.add (local.get 0) (local.get 1)))
  (func (export "pair") (param i32) (result i32 i64) (local.get 0) (i64.const -1))
  (func $divide (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func $outer (export "outer") (param i32) (result i32) (i32.add (i32.const 1) (call $divide (local.get 0) (i32.const 0))))
  (func (export "forever") (loop (br 0)))
  (func (export "none"))
  (func (export "--odd") (result i32) (i32.const 9)))`;

const HELLO = `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\20\\00\\00\\00\\06\\00\\00\\00\\40\\00\\00\\00\\40\\00\\00\\00")
  (data (i32.const 32) "hello\\n")
  (func (export "_start") (local $n i32)
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
    (loop $again
      (drop (call $fd_read (i32.const 0) (i32.const 8) (i32.const 1) (i32.const 16)))
      (local.set $n (i32.load (i32.const 16)))
      (if (local.get $n)
        (then
          (i32.store (i32.const 24) (i32.const 64))
          (i32.store (i32.const 28) (local.get $n))
          (drop (call $fd_write (i32.const 1) (i32.const 24) (i32.const 1) (i32.const 20)))
          (br $again))))
    (call $proc_exit (i32.const 7))))`;

let folder = '';
let client: CliClient;
const cli = (...argv: string[]): Promise<Result> => client.run(...argv);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wasm-aot-'));
  const wabt = await wabtModule();
  const write = (name: string, text: string): void => {
    const parsed = wabt.parseWat(`${name}.wat`, text);
    writeFileSync(join(folder, `${name}.wasm`), parsed.toBinary({ write_debug_names: true }).buffer);
    parsed.destroy();
  };
  write('maths', MATHS);
  write('hello', HELLO);
  write('needs', '(module (import "env" "missing" (func (param i32))) (func (export "f") (call 0 (i32.const 1))))');
  write('lib', '(module (func (export "twice") (param i32) (result i32) (i32.add (local.get 0) (local.get 0))))');
  write(
    'app',
    '(module (import "lib" "twice" (func (param i32) (result i32))) (func (export "four") (result i32) (call 0 (i32.const 2))))',
  );
  write(
    'wrong',
    '(module (import "lib" "twice" (func (param i64) (result i32))) (func (export "f") (drop (call 0 (i64.const 2)))))',
  );
  write('exit64', '(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i64))))');
  write(
    'owner',
    '(module (memory (export "mem") 1) (data (i32.const 8) "\\2a") (global (export "g") i32 (i32.const 5)))',
  );
  write(
    'middle',
    '(module (import "owner" "mem" (memory 1)) (import "owner" "g" (global i32)) (export "m" (memory 0)) (export "h" (global 0)))',
  );
  write(
    'user',
    '(module (import "middle" "m" (memory 1)) (import "middle" "h" (global i32)) (func (export "sum") (result i32) (i32.add (i32.load (i32.const 8)) (global.get 0))))',
  );
  write('trapping', '(module (func $deep unreachable) (func (export "_start") (call $deep)))');
  write('large', '(module (memory 20) (func (export "f") (result i32) (memory.size)))');
  client = new CliClient(folder);
}, 60_000);

afterAll(() => {
  client.close();
  rmSync(folder, { recursive: true, force: true });
});

function path(name: string): string {
  return join(folder, name);
}

describe('run', () => {
  it.each([
    [['add', '2', '3'], 'i32:5\n'],
    [['add', '-1', '-0x10'], 'i32:-17\n'],
    [['mul64', '-3', '0x100000000'], 'i64:-12884901888\n'],
    [['half', '3'], 'f32:0x3fc00000 1.5\n'],
    [['half', '-inf'], 'f32:0xff800000 -inf\n'],
    [['sum', '0.1', '0.2'], 'f64:0x3fd3333333333334 0.30000000000000004\n'],
    [['pair', '7'], 'i32:7\ni64:-1\n'],
    [['none'], ''],
    [['maths.add', '1', '1'], 'i32:2\n'],
    [['--odd'], 'i32:9\n'],
  ])('--invoke %j', async (invoke, expected) => {
    expect(await cli('run', 'maths.wasm', '--invoke', ...invoke)).toEqual({ code: 0, stdout: expected, stderr: '' });
  });

  it('ends --stats with one JSON line that counts the invocation alone', async () => {
    const { code, stdout } = await cli('run', 'maths.wasm', '--invoke', 'add', '2', '3', '--stats');
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toBe('i32:5');
    const stats = JSON.parse(lines[1]!) as Record<string, number>;
    expect(Object.keys(stats).slice(0, 6)).toEqual([
      'instructions',
      'cycles',
      'codeBytes',
      'dataBytes',
      'memoryBytes',
      'stackBytes',
    ]);
    expect(stats['instructions']).toBe(2);
    expect(stats['memoryBytes']).toBe(65536);
    expect(stats['codeBytes']).toBeGreaterThan(50);
  });

  it('reports a trap with names and offsets, innermost first, and exits with 3', async () => {
    const { code, stdout, stderr } = await cli('run', 'maths.wasm', '--invoke', 'outer', '5');
    expect(code).toBe(3);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /^trap: integer divide by zero\n {2}#0 func 5 divide @0x[0-9a-f]+\n {2}#1 func 6 outer @0x[0-9a-f]+\n$/,
    );
    const offset = Number(/divide @(0x[0-9a-f]+)/.exec(stderr)![1]);
    // i32.div_s
    expect(readFileSync(path('maths.wasm'))[offset]).toBe(0x6d);
  });

  it('reports a trap of _start', async () => {
    const { code, stdout } = await cli('run', 'trapping.wasm');
    expect(code).toBe(3);
    expect(stdout).toMatch(/^trap: unreachable\n {2}#0 func 0 deep @0x[0-9a-f]+\n {2}#1 func 1 _start @0x/);
  });

  it('stops at limits with 4', async () => {
    const instructions = await cli('run', 'maths.wasm', '--invoke', 'forever', '--max-instructions', '100000');
    expect(instructions.code).toBe(4);
    expect(instructions.stderr).toContain('instruction limit');
    expect((await cli('run', 'maths.wasm', '--invoke', 'forever', '--timeout', '0.01')).code).toBe(4);
  });

  it('connects standard input and output to the console and passes proc_exit on', () => {
    const { code, stdout, stderr } = runProcess(folder, ['run', 'hello.wasm'], 'from the host\n');
    expect(stdout.toString()).toBe('hello\nfrom the host\n');
    expect(stderr).toBe('');
    expect(code).toBe(7);
  });

  it('links several modules', async () => {
    const run = await cli('run', 'app.wasm', 'lib.wasm', '--invoke', 'four');
    expect(run).toEqual({ code: 0, stdout: 'i32:4\n', stderr: '' });
  });

  it('follows what a module exports again', async () => {
    const run = await cli('run', 'user.wasm', 'middle.wasm', 'owner.wasm', '--invoke', 'sum');
    expect(run).toEqual({ code: 0, stdout: 'i32:47\n', stderr: '' });
  });

  it('gives JSON', async () => {
    const { stdout } = await cli('run', 'maths.wasm', '--invoke', 'outer', '5', '--json');
    const parsed = JSON.parse(stdout) as { ending: string; trap: string; backtrace: { funcName: string }[] };
    expect(parsed).toMatchObject({ ending: 'trapped', trap: 'integer divide by zero' });
    expect(parsed.backtrace.map((frame) => frame.funcName)).toEqual(['divide', 'outer']);
  });
});

describe('build', () => {
  it('writes image, ELF and map, and runs what it wrote', async () => {
    const built = await cli('build', 'maths.wasm', '-o', 'm.bin', '--elf', 'm.elf', '--map', 'm.map');
    expect(built).toMatchObject({ code: 0, stdout: '' });
    expect(built.stderr).toMatch(/maths\.add: 0 bytes/);
    expect(readFlashImage(readFileSync(path('m.bin'))).segments).toHaveLength(2);
    expect(readFileSync(path('m.map'), 'utf8')).toMatch(/0x[0-9a-f]{8}\s+\d+\s+maths!add/);
    expect(await cli('run', 'm.bin', '--invoke', 'add', '40', '2')).toEqual({
      code: 0,
      stdout: 'i32:42\n',
      stderr: '',
    });
    expect((await cli('objdump', 'm.elf')).stdout).toMatch(/<maths.add>:\n[0-9a-f]{8}: .* add/);
    expect((await cli('size', 'm.elf')).stdout).toMatch(/largest functions\n\s+\d+ {2}rt_/);
    expect((await cli('size', 'm.bin', '--json')).code).toBe(0);
    expect((await cli('objdump', 'm.bin', '--headers')).stdout).toContain('loaded into RAM');
  });

  it.each([['flash'], ['ram']])('runs code and constants from %s', async (place) => {
    const run = await cli('run', 'maths.wasm', '--code', place, '--rodata', place, '--invoke', 'sum', '1', '2');
    expect(run).toMatchObject({ code: 0, stdout: 'f64:0x4008000000000000 3\n' });
  });

  it('gives the bill as JSON and the image on standard output', async () => {
    const { stdout } = await cli('build', 'maths.wasm', '-o', 'x.bin', '--json', '--memory-limit', '4K');
    const bill = JSON.parse(stdout) as { output: string; memories: object[]; rows: object[] };
    expect(bill.output).toBe('x.bin');
    expect(bill.memories[0]).toMatchObject({ bytes: 4096, declaredBytes: 65536 });
    const piped = runProcess(
      folder,
      ['build', '-', '-o', '-', '-q', '--name', 'maths'],
      readFileSync(path('maths.wasm')),
    );
    expect(piped.code).toBe(0);
    expect(readFlashImage(piped.stdout).note).not.toBeNull();
  });

  it('gives the same bytes twice', async () => {
    await cli('build', 'maths.wasm', '-o', 'one.bin', '-q');
    await cli('build', 'maths.wasm', '-o', 'two.bin', '-q');
    expect(readFileSync(path('one.bin')).equals(readFileSync(path('two.bin')))).toBe(true);
  });
});

describe('compile, inspect, help', () => {
  it.each([
    ['obj', /^\x7fELF/],
    ['asm', /<maths!add>:\n.*add/],
    ['ir', /func .*add/],
  ])('emits %s', async (emit, pattern) => {
    expect(await cli('compile', 'maths.wasm', '--emit', emit, '-o', `out.${emit}`)).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(readFileSync(path(`out.${emit}`), 'latin1')).toMatch(pattern);
  });

  it('lists an object', async () => {
    await cli('compile', 'maths.wasm', '-o', 'maths.o', '-O1', '--cfi', 'full');
    expect((await cli('objdump', 'maths.o')).stdout).toMatch(/<maths!outer>:[^]*R_XTENSA_SLOT0_OP maths!divide/);
    expect((await cli('size', 'maths.o')).stdout).toContain('maths!outer');
  });

  it('inspects', async () => {
    const { code, stdout } = await cli('inspect', 'hello.wasm');
    expect(code).toBe(0);
    expect(stdout).toContain('func wasi_snapshot_preview1.fd_write (i32, i32, i32, i32) -> (i32)');
    expect(stdout).toContain('Fits on esp32');
    const large = await cli('inspect', 'large.wasm', '--json');
    expect(JSON.parse(large.stdout)).toMatchObject({ fits: false, reason: { code: 'W403' } });
  });

  it.each([['compile'], ['build'], ['run'], ['objdump'], ['size'], ['inspect']])(
    '%s --help has examples',
    async (name) => {
      const { code, stdout } = await cli(name, '--help');
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`Examples:\\n\\s+wasm-aot ${name} `));
    },
  );
});

describe('bad input', () => {
  const bytes = (name: string): Buffer => readFileSync(path(name));
  /** Exit code 1 and the numbered diagnostic on standard error, nothing else. */
  async function refuses(code: string, ...argv: string[]): Promise<string> {
    const result = await cli(...argv);
    expect(result.stderr).toMatch(new RegExp(`^error ${code}: `));
    expect(result).toMatchObject({ code: 1, stdout: '' });
    return result.stderr;
  }

  it('says what is wrong with a file', async () => {
    expect(await refuses('W601', 'run', 'absent.wasm')).toContain('no such file');
    expect(await refuses('W601', 'run', '.')).toContain('is a folder');
    writeFileSync(path('empty.wasm'), '');
    await refuses('W10[27]', 'run', 'empty.wasm');
    writeFileSync(path('text.wasm'), 'this is not wasm at all');
    await refuses('W107', 'build', 'text.wasm', '-o', 'never.bin');
    const fd = openSync(path('huge.wasm'), 'w');
    ftruncateSync(fd, 65 * 1024 * 1024);
    closeSync(fd);
    await refuses('W501', 'inspect', 'huge.wasm');
    await refuses('W701', 'objdump', 'text.wasm');
    await refuses('W70[12]', 'size', 'text.wasm');
  });

  it('refuses every truncation of a module', async () => {
    const whole = bytes('lib.wasm');
    let accepted = 0;
    for (let length = 1; length < whole.length; length++) {
      writeFileSync(path('cut.wasm'), whole.subarray(0, length));
      const result = await cli('compile', 'cut.wasm', '-o', 'cut.o');
      // A module may end between two sections.
      if (result.code === 0) accepted++;
      else expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error W\d{3}: /) as unknown });
    }
    expect(accepted).toBeLessThan(6);
  });

  it('names function and offset of an invalid body', async () => {
    const broken = bytes('lib.wasm');
    broken[broken.indexOf(Buffer.from([0x20, 0, 0x20, 0, 0x6a])) + 4] = 0xa0;
    writeFileSync(path('invalid.wasm'), broken);
    const message = await refuses('W201', 'compile', 'invalid.wasm');
    expect(message).toMatch(/invalid\.wasm.*function 0.*offset 0x/);
  });

  it('names missing and incompatible imports', async () => {
    expect(await refuses('W401', 'build', 'needs.wasm', '-o', 'never.bin')).toContain('"env"."missing"');
    expect(await refuses('W402', 'build', 'lib.wasm', 'wrong.wasm', '-o', 'never.bin')).toContain('"lib"."twice"');
    expect(await refuses('W402', 'run', 'exit64.wasm')).toContain('"wasi_snapshot_preview1"."proc_exit" (I:)');
  });

  it('knows exports and their arguments', async () => {
    expect(await refuses('W603', 'run', 'maths.wasm', '--invoke', 'subtract')).toContain('exported functions: add');
    expect(await refuses('W603', 'run', 'maths.wasm', '--invoke', 'answer')).toContain('exported global');
    await refuses('W604', 'run', 'maths.wasm', '--invoke', 'add', '1');
    await refuses('W604', 'run', 'maths.wasm', '--invoke', 'add', '1', 'x');
    await refuses('W604', 'run', 'maths.wasm', '--invoke', 'add', '1', '4294967296');
  });

  it('gives the bill of what does not fit', async () => {
    const message = await refuses('W403', 'build', 'large.wasm', '-o', 'never.bin');
    expect(message).toContain('DRAM needs');
    expect(message).toContain('1310720');
    expect((await cli('run', 'large.wasm', '--board', 'esp32-large', '--invoke', 'f')).stdout).toBe('i32:20\n');
  });

  it('leaves nothing half-written', async () => {
    writeFileSync(path('kept.bin'), 'old');
    const before = readdirSync(folder).sort();
    await refuses('W602', 'build', 'maths.wasm', '-q', '-o', 'kept.bin', '--map', 'no/such/folder/m.map');
    await refuses('W602', 'build', 'maths.wasm', '-q', '-o', 'maths.wasm/x.bin');
    mkdirSync(path('taken'), { recursive: true });
    await refuses('W602', 'compile', 'maths.wasm', '-o', 'taken');
    rmSync(path('taken'), { recursive: true });
    expect(readFileSync(path('kept.bin'), 'utf8')).toBe('old');
    expect(readdirSync(folder).sort()).toEqual(before);
    expect(existsSync(path('never.bin'))).toBe(false);
  });

  it('refuses damaged images', async () => {
    await cli('build', 'maths.wasm', '-o', 'good.bin', '-q');
    const image = bytes('good.bin');
    image[100]! ^= 1;
    writeFileSync(path('bad.bin'), image);
    expect(await refuses('W702', 'run', 'bad.bin')).toContain('checksum');
    writeFileSync(path('short.bin'), bytes('good.bin').subarray(0, 1000));
    await refuses('W702', 'objdump', 'short.bin');
  });

  it('gives errors as JSON too', async () => {
    const { code, stdout } = await cli('compile', 'absent.wasm', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'W601', place: { file: 'absent.wasm' } } });
  });

  it.each([
    [[]],
    [['frobnicate']],
    [['run']],
    [['run', 'maths.wasm', '--bogus']],
    [['run', 'maths.wasm', '-O', '7']],
    [['run', 'maths.wasm', '--timeout', '-1']],
    [['run', 'maths.wasm', '--timeout', 'soon']],
    [['build', 'maths.wasm', '--stack-size', 'big']],
    [['build', 'maths.wasm', '--board', 'avr']],
    [['build', 'maths.wasm', '--env', 'x']],
    [['build', '-']],
    [['build', 'maths.wasm', 'lib.wasm', '--name', 'x']],
  ])('bad usage %j', async (argv) => {
    const { code, stdout, stderr } = await cli(...argv);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
  });
});
