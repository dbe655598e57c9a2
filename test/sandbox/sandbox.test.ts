// The sandbox's evidence in short form; `npm run sandbox` does all of it.
import { describe, expect, it } from 'vitest';
import { writeElf } from '../../linker/elf-output.js';
import { verifyElf } from '../../verifier/verify.js';
import { IMPORTS, buildDevice, handler } from '../os/os-device.js';
import { wasmOf } from './canary-device.js';
import { verifyCorpus } from './corpus-code.js';
import { runFlips } from './flips.js';
import { HOSTILE } from './hostile.js';
import { newCounts, runBoundaries, runHostile } from './hostile-run.js';
import { buildProgram, runMutations } from './mutate-run.js';
import { CHECKED_PROGRAM, PROVED_FORMS } from './programs.js';
import { newCodeCounts } from './spec-code.js';

const wasm = wasmOf(CHECKED_PROGRAM);

describe('verifier', () => {
  for (const level of ['0', '1', '2', 's'] as const) {
    for (const cfi of ['forward', 'full'] as const) {
      it.each([false, true])(`proves the code of -O${level} --cfi ${cfi}, grant windows: %s`, (windows) => {
        const { elf } = buildProgram(wasm, { level, cfi, windows });
        const verdict = verifyElf(elf, 'app.elf', { checkReturns: cfi === 'full' });
        const open = verdict.functions.flatMap(({ name, violations }) => violations.map((v) => `${name}: ${v.reason}`));
        expect([...verdict.faults, ...open]).toEqual([]);
        expect(verdict.functions.length).toBeGreaterThan(15);
      });
    }
  }

  for (const [what, text] of PROVED_FORMS) {
    it(`proves ${what}`, () => {
      const { functions } = verifyElf(buildProgram(wasmOf(text), { level: '2' }).elf, 'app.elf', {
        checkReturns: false,
      });
      expect(functions.filter(({ violations }) => violations.length > 0)).toEqual([]);
      expect(functions.length).toBeGreaterThan(0);
    });
  }

  it('proves the code of modules that npm packages ship', () => {
    const counts = newCodeCounts();
    verifyCorpus({ level: '2' }, counts);
    expect(counts.failures).toEqual([]);
    expect(counts.functions).toBeGreaterThan(300);
  });

  it('proves modules of the device OS, each on a stack of its own', async () => {
    const handlers = handler('get', '(call $log (i32.const 0) (i32.const 4)) (i32.load (local.get $p))');
    const names = ['one', 'two'];
    const modules = names.map((name) => ({ name, wat: `${IMPORTS} (memory (export "memory") 1) ${handlers}` }));
    const { linked } = await buildDevice(modules);
    const { faults, functions } = verifyElf(writeElf(linked), 'things.elf', { checkReturns: false });
    expect(faults).toEqual([]);
    expect(functions.filter(({ violations }) => violations.length > 0)).toEqual([]);
    expect(new Set(functions.map(({ module }) => module))).toEqual(new Set(names));
    // A module that reckons with another's stack.
    const limit = linked.symbolList.find(({ name }) => name === 'one$stack_bottom')!;
    const symbolList = linked.symbolList.map((s) => (s === limit ? { ...s, address: s.address + 0x4000 } : s));
    expect(verifyElf(writeElf({ ...linked, symbolList }), 'things.elf', { checkReturns: false }).ok).toBe(false);
  });

  it('rejects indirect calls without checks (--cfi none), and only those', () => {
    const { elf } = buildProgram(wasm, { level: '2', cfi: 'none' });
    const { ok, functions } = verifyElf(elf, 'app.elf', { checkReturns: false });
    expect(ok).toBe(false);
    const names = functions.filter(({ violations }) => violations.length > 0).map(({ name }) => name);
    expect(names.sort()).toEqual(['app!call', 'app!tail']);
  });

  it('asks for checked return addresses when told to', () => {
    const { elf } = buildProgram(wasm, { level: '2', cfi: 'forward' });
    const { functions } = verifyElf(elf, 'app.elf', { checkReturns: true });
    const reasons = functions.flatMap(({ violations }) => violations.map(({ reason }) => reason));
    expect(new Set(reasons)).toEqual(new Set(['the return address is not compared with the shadow stack']));
  });

  it.each([false, true])('rejects mutations that open the sandbox, grant windows: %s', (windows) => {
    const counts = runMutations(buildProgram(wasm, { level: '2', windows }), false, 2);
    expect(counts.rejected).toBeGreaterThanOrEqual(180);
    expect(counts.byKind.has('window sequence changed')).toBe(windows);
    const never = [
      'privileged instruction',
      'call into a function',
      'call of unpublished code',
      'branch into an instruction',
      'branch out of the function',
      'jump table entry changed',
      'stack check lowered',
      'return address not restored',
      'stack pointer not restored',
      'saved register not restored',
      'window asked for with less',
      'window sequence changed',
    ];
    for (const kind of never) expect([kind, counts.byKind.get(kind as never)?.accepted ?? 0]).toEqual([kind, 0]);
  });
});

describe('code that the verifier accepts', () => {
  it('stays in the sandbox whatever bit was flipped', () => {
    const counts = runFlips(2, 3000);
    expect(counts.escapes).toEqual([]);
    expect(counts.accepted).toBeGreaterThan(0);
  });
});

describe('hostile modules', () => {
  for (const module of HOSTILE) {
    it(`${module.what}: right traps, nothing else touched`, () => {
      const counts = newCounts();
      runHostile(module, { level: '2', cfi: 'forward' }, counts);
      expect(counts.failures).toEqual([]);
      expect(counts.calls).toBe(module.calls.length);
    });
  }

  it('loads and stores at every boundary of several memories', () => {
    const counts = newCounts();
    runBoundaries(0, 6, { level: '2' }, counts, 11);
    expect(counts.failures).toEqual([]);
    expect(counts.traps).toBeGreaterThan(200);
  });
});
