// Checks encoder, decoder, printer and parser against the encodings outside tools gave (vectors.txt). Takes the table,
// needs no tool: scripts/oracle-isa.ts is what runs the tools.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeAt, decodeWord } from '../../../backend-xtensa/isa/decode.js';
import { encode, fits } from '../../../backend-xtensa/isa/encode.js';
import { parseInstruction } from '../../../backend-xtensa/isa/parse.js';
import { formatInstruction } from '../../../backend-xtensa/isa/print.js';
import { INSTRUCTIONS } from '../../../backend-xtensa/isa/table.js';

interface Vector {
  readonly name: string;
  readonly word: number;
  readonly pc: number;
  readonly text: string;
}

const BASE = 0x40080000;

function readVectors(): { vectors: Vector[]; origins: Map<string, string> } {
  const vectors: Vector[] = [];
  const origins = new Map<string, string>();
  let name = '';
  for (const line of readFileSync(new URL('vectors.txt', import.meta.url), 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const vector = /^((?:[0-9a-f]{2}){2,3})(?:@([0-3]))?(?: (.*))?$/.exec(line);
    // `add`, `abs` and the like never have 4 or 6 hexadecimal digits only: a mnemonic line is what is no vector line.
    if (vector === null) {
      const heading = /^([a-z][a-z0-9.]*)(?: \((.*)\))?$/.exec(line);
      if (heading === null) throw new Error(`bad line in vectors.txt: ${line}`);
      name = heading[1] as string;
      origins.set(name, heading[2] ?? 'LLVM');
      continue;
    }
    const pc = BASE + Number(vector[2] ?? 0);
    vectors.push({ name, word: parseInt(vector[1] as string, 16), pc, text: `${name} ${vector[3] ?? ''}`.trim() });
  }
  return { vectors, origins };
}

const { vectors, origins } = readVectors();

describe('vectors of outside tools', () => {
  it('prove every row of the table', () => {
    expect([...origins.keys()].sort()).toEqual(INSTRUCTIONS.map((row) => row.name).sort());
    for (const row of INSTRUCTIONS) {
      const count = vectors.filter((vector) => vector.name === row.name).length;
      const combinations = row.operands.reduce((product, { field }) => {
        const bits = field.spans.reduce((sum, [high, low]) => sum + high - low + 1, 0);
        let valid = 0;
        for (let raw = 0; raw < 1 << bits; raw++) if (field.valid(raw)) valid++;
        return product * valid;
      }, 1);
      expect(count, row.name).toBeGreaterThanOrEqual(Math.min(64, combinations));
    }
  });

  it('come from LLVM but for the rows it does not know', () => {
    expect(Object.fromEntries([...origins].filter(([, by]) => by !== 'LLVM'))).toEqual({
      ssa8b: 'GNU as, lx106',
      simcall: 'GNU as, lx106',
      l32ai: 'GNU as, esp32',
      s32ri: 'GNU as, esp32',
      rer: 'GNU as, esp32',
      wer: 'GNU as, esp32',
    });
  });

  it('agree with parser and encoder: their text gives their word', () => {
    for (const { word, pc, text } of vectors) {
      const { opcode, operands } = parseInstruction(text, { pc });
      if (!fits(opcode, operands, pc) || encode(opcode, operands, pc) !== word) {
        expect.fail(`${text} at ${pc & 3}: ${encode(opcode, operands, pc).toString(16)}, not ${word.toString(16)}`);
      }
    }
  });

  it('agree with decoder and printer: their word gives their text', () => {
    for (const { name, word, pc, text } of vectors) {
      const decoded = decodeWord(word, pc);
      const ours = decoded === undefined ? 'undefined' : formatInstruction(decoded, pc, { relativeTargets: true });
      if (ours !== text || decoded?.row.name !== name) expect.fail(`${word.toString(16)}: ${ours}, not ${text}`);
    }
  });

  it('survive decode, print with addresses and parse unchanged', () => {
    for (const { word, pc } of vectors) {
      const bytes = Uint8Array.of(word & 255, (word >> 8) & 255, word >> 16);
      const decoded = decodeAt(bytes, 0, pc);
      if (decoded === undefined) throw new Error(`no instruction: ${word.toString(16)}`);
      const parsed = parseInstruction(formatInstruction(decoded, pc), { pc });
      if (parsed.opcode !== decoded.opcode || parsed.operands.join() !== decoded.operands.join()) {
        expect.fail(`${formatInstruction(decoded, pc)}: ${parsed.operands.join()}, not ${decoded.operands.join()}`);
      }
    }
  });
});
