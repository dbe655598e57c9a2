// Property test: damaged modules get the same verdict from us as from V8, an independent validator, and never anything
// but a diagnostic. What survives must translate into IR that the verifier accepts.
import { describe, expect, it } from 'vitest';
import { Random } from '../../test/fuzz/random.js';
import { generateModule } from '../../test/fuzz/generate.js';
import { wat } from '../../test/support/wat.js';
import { DiagnosticError } from '../diagnostics.js';
import { frontend, parseModule } from '../driver.js';
import { verifyFunc } from '../ir/verify.js';
import { secondOpinion } from './second-opinion.js';

/** Complaints of V8 about features that we support and the Node version at hand does not. */
const NEWER = /memory (count|index)|one memory|memory limits flags|not allowed in constant|not have a max|return_call/;

const SEEDS = [
  `(module (import "m" "f" (func (param i32 f64) (result i64))) (import "m" "g" (global i32)) (memory 1 3)
    (global (mut f32) (f32.const 1.5)) (global i32 (global.get 0)) (table 4 funcref) (table 1 externref)
    (func (export "a") (param i32 i64) (result i32) (local f32 f64)
      (block (result i32) (loop (result i32) (br_if 1 (i32.const 3) (local.get 0)) drop (br 0)) ) )
    (func (param i32) (result i32 i32) local.get 0 (if (param) (result i32 i32) (then i32.const 1 i32.const 2)
      (else (br_table 0 0 (i32.const 4) (i32.const 5) (local.get 0)))))
    (elem (i32.const 1) func 1 2) (elem declare func 0) (elem funcref (ref.null func) (ref.func 1))
    (data (i32.const 8) "abc") (data "passive"))`,
  `(module (type $t (func (param i32) (result i32))) (table 8 funcref) (memory 1)
    (func $f (type $t) (call_indirect (type $t) (local.get 0) (i32.and (local.get 0) (i32.const 7))))
    (func (result externref) (select (result externref) (ref.null extern) (ref.null extern) (i32.const 1)))
    (func (drop (table.grow 0 (ref.func $f) (i32.const 1))) (table.fill 0 (i32.const 0) (ref.null func) (i32.const 1))
      (memory.copy (i32.const 1) (i32.const 2) (i32.const 3)) (memory.init 0 (i32.const 1) (i32.const 0) (i32.const 1))
      (data.drop 0) (elem.drop 0) (table.init 0 0 (i32.const 0) (i32.const 0) (i32.const 1)))
    (elem func $f) (data "xyz") (start 2))`,
];

function damage(bytes: Uint8Array, random: Random): Uint8Array {
  const out = Uint8Array.from(bytes);
  for (let n = 1 + random.below(3); n > 0; n--) {
    const at = 8 + random.below(out.length - 8);
    out[at] = random.below(3) === 0 ? random.below(256) : out[at]! ^ (1 << random.below(8));
  }
  return out;
}

/** V8's complaint, or null if it accepts. */
function v8Verdict(bytes: Uint8Array): string | null {
  if (WebAssembly.validate(bytes as BufferSource)) return null;
  try {
    new WebAssembly.Module(bytes as BufferSource);
    return 'invalid';
  } catch (error) {
    return String(error);
  }
}

function check(bytes: Uint8Array, label: string): 'valid' | 'refused' | 'skipped' {
  let ours: DiagnosticError | null = null;
  try {
    const ir = frontend(bytes);
    for (const body of ir.bodies) {
      const faults = verifyFunc(body, { module: ir });
      expect(
        faults.map((f) => f.message),
        `${label} ${body.name}`,
      ).toEqual([]);
    }
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error;
    ours = error;
  }
  if (ours !== null && /^W[35]/.test(ours.code)) return 'skipped';
  const theirs = v8Verdict(bytes);
  if (ours === null && theirs !== null && NEWER.test(theirs)) return 'skipped';
  const said = ours === null ? 'accepted' : `${ours.code} ${ours.message}`;
  expect(ours === null, `${label}: ours ${said}, V8 ${theirs ?? 'accepted'}`).toBe(theirs === null);
  return ours === null ? 'valid' : 'refused';
}

describe('mutations', () => {
  it('agree with V8', async () => {
    const modules = await Promise.all(SEEDS.map((text) => wat(text)));
    for (let seed = 1; seed <= 4; seed++) modules.push(generateModule(seed).bytes);
    modules.forEach((bytes, i) => expect(check(bytes, `seed module ${i}`)).not.toBe('refused'));
    const random = new Random(20261122);
    const seen = { valid: 0, refused: 0, skipped: 0 };
    for (let i = 0; i < 3000; i++) {
      const base = random.below(modules.length);
      seen[check(damage(modules[base]!, random), `mutation ${i} of module ${base}`)]++;
    }
    // Both verdicts must really have been exercised.
    expect(seen.valid).toBeGreaterThan(100);
    expect(seen.refused).toBeGreaterThan(500);
  });
});

describe('second opinion', () => {
  it('agrees on declarations', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const opinion = secondOpinion(parseModule(generateModule(seed).bytes).module);
      expect(opinion).toEqual({ parsed: true, differences: [] });
    }
  });
  it('would notice a difference', () => {
    const { module } = parseModule(generateModule(1).bytes);
    const changed = { ...module, exports: module.exports.map((e) => ({ ...e, index: e.index + 1 })) };
    expect(secondOpinion(changed).differences).toHaveLength(module.exports.length);
  });
});
