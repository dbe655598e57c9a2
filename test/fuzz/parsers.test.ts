// What the parser fuzzer starts from is accepted when it is whole: else it would only ever knock at the door.
import { describe, expect, it } from 'vitest';
import { readLineTable } from '../../compiler/wasm/debug-line.js';
import { fuzzParsers, TARGETS } from './parsers.js';

describe('inputs of the parser fuzzer', () => {
  it.each(TARGETS.filter(({ name }) => !name.startsWith('manifest')))('$name', ({ valid, eat }) => {
    for (let seed = 1; seed <= 3; seed++) expect(() => eat(valid(seed))).not.toThrow();
  });
  it.each(TARGETS.filter(({ name }) => name.startsWith('manifest')))('$name: a part', ({ valid, eat }) => {
    let accepted = 0;
    for (let seed = 1; seed <= 40; seed++) {
      try {
        eat(valid(seed));
        accepted++;
      } catch {
        // Damaged in its values already.
      }
    }
    expect(accepted).toBeGreaterThan(5);
    expect(accepted).toBeLessThan(40);
  });
  it('has a line table whose rows are found', () => {
    const wasm = TARGETS.find(({ name }) => name === 'line table')!.valid(1);
    const table = readLineTable(wasm)!;
    const found = new Set<number>();
    for (let at = 0; at < wasm.length; at++) found.add(table.lookup(at)?.line ?? 0);
    expect(found.size).toBeGreaterThan(2);
  });
  it('damaged give an answer', () => {
    for (let seed = 1; seed <= 10; seed++) expect(fuzzParsers(seed)).toBeUndefined();
  });
});
