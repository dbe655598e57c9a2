// Tests of rt-stubs/include/lx6-insns.h: up to date with the table, and, where the tools are installed, the bytes that
// GNU as for lx106 makes of every macro against our encoder's.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assemble } from '../backend-xtensa/isa/assemble.js';
import { SPECIAL_REGISTERS, USER_REGISTERS } from '../backend-xtensa/isa/special-registers.js';
import type { OperandSpec } from '../backend-xtensa/isa/types.js';
import { header, rowsWithMacro } from './generate-lx6-macros.js';

const INCLUDE = new URL('../rt-stubs/include/', import.meta.url).pathname;
const GCC = 'xtensa-lx106-elf-gcc';
const installed = spawnSync(GCC, ['--version']).status === 0;

/** Operands at one end of their range (which = 0, 1), with registers that differ from each other. */
function operandText(spec: OperandSpec, index: number, which: number): string {
  switch (spec.kind) {
    case 'ar':
      return `a${which === 0 ? index + 1 : 15 - index}`;
    case 'fr':
      return `f${which === 0 ? index + 1 : 15 - index}`;
    case 'br':
      return spec.field.name === 'bs4' || spec.field.name === 'bs8'
        ? `b${which * 8}`
        : `b${which === 0 ? index : 15 - index}`;
    case 'mr':
      return `m${which === 0 ? spec.field.minimum(0) : spec.field.maximum(0)}`;
    case 'pcrel':
      return which === 0 ? '1b+4' : '1b+64';
    default:
      return String(which === 0 ? spec.field.minimum(0) : spec.field.maximum(0));
  }
}

function allMacros(): string[] {
  const lines: string[] = [];
  for (const row of rowsWithMacro()) {
    for (const which of [0, 1]) {
      lines.push(`1: ${row.name} ${row.operands.map((spec, i) => operandText(spec, i, which)).join(', ')}`.trim());
    }
  }
  for (const register of SPECIAL_REGISTERS) {
    for (const access of register.access) lines.push(`${access}sr.${register.name} a5`);
  }
  for (const register of USER_REGISTERS) lines.push(`rur.${register.name} a6`, `wur.${register.name} a7`);
  return lines;
}

describe('lx6-insns.h', () => {
  it('is what the generator writes', () => {
    expect(readFileSync(join(INCLUDE, 'lx6-insns.h'), 'utf8')).toBe(header());
  });

  describe.skipIf(!installed)(`with ${GCC}`, () => {
    let directory = '';
    beforeAll(() => (directory = mkdtempSync(join(tmpdir(), 'lx6-insns-'))));
    afterAll(() => rmSync(directory, { recursive: true }));

    function text(source: string, extension: string): { bytes: Buffer; messages: string } {
      const [input, object, output] = [`t${extension}`, 't.o', 't.bin'].map((name) => join(directory, name)) as [
        string,
        string,
        string,
      ];
      writeFileSync(input, source);
      const run = spawnSync(GCC, ['-O1', `-I${INCLUDE}`, '-c', input, '-o', object], { encoding: 'utf8' });
      if (run.status !== 0) return { bytes: Buffer.alloc(0), messages: run.stderr };
      execFileSync('xtensa-lx106-elf-objcopy', ['-O', 'binary', '--only-section=.text', object, output]);
      return { bytes: readFileSync(output), messages: run.stderr };
    }

    it('gives our bytes for every macro', () => {
      const lines = allMacros();
      const { bytes, messages } = text(`#include "lx6-insns.h"\n.text\n${lines.join('\n')}\n`, '.S');
      expect(messages).toBe('');
      // Line by line, so that a fault names its macro.
      let offset = 0;
      for (const line of lines) {
        const ours = assemble(line).bytes;
        expect(bytes.subarray(offset, offset + ours.length).toString('hex'), line).toBe(
          Buffer.from(ours).toString('hex'),
        );
        offset += ours.length;
      }
      expect(bytes.length).toBe(offset);
    });

    it('works from C inline assembly', () => {
      const { bytes, messages } = text(
        `#include "lx6-insns.h"
         unsigned high(unsigned a, unsigned b) {
           unsigned r;
           __asm__("muluh %0, %1, %2" : "=a"(r) : "a"(a), "a"(b));
           return r;
         }`,
        '.c',
      );
      expect(messages).toBe('');
      expect(bytes.subarray(0, 5).toString('hex')).toBe(
        Buffer.from(assemble('muluh a2, a2, a3\nret.n').bytes).toString('hex'),
      );
    });

    it.each([
      ['sext a2, a3, 6', /sext: operand 3 must be 7\.\.22/],
      ['lsi f2, a3, 6', /lsi: operand 3 must be 0\.\.1020, a multiple of 4/],
      ['quos a2, a3, f4', /Llx6_ar_f4|undefined|can't resolve|invalid/i],
    ])('refuses %s', (line, message) => {
      expect(text(`#include "lx6-insns.h"\n.text\n${line}\n`, '.S').messages).toMatch(message);
    });
  });
});
