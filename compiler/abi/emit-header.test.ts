// The checked-in C header must be the one that the ABI data gives, and the layouts must have the sizes that the
// contract between compiler and runtime states.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { emitAbiHeader } from './emit-header.js';
import { LAYOUTS, RT_MAILBOX, WASM_FUNC_INFO, WASM_MEMORY, WASM_SITE } from './layout.js';
import { TRAP_MESSAGES, TrapCode } from './traps.js';

describe('abi header', () => {
  it('is current (else run: npx tsx scripts/generate-abi-header.ts)', () => {
    const file = new URL('../../firmware/include/wasm_abi.h', import.meta.url);
    expect(readFileSync(file, 'utf8')).toBe(emitAbiHeader());
  });
  it('has a message for each trap code', () => {
    expect(TRAP_MESSAGES.length).toBe(Math.max(...Object.values(TrapCode)) + 1);
  });
});

describe('layouts', () => {
  it('lay fields out as a C compiler for a 32-bit target does', () => {
    expect(WASM_MEMORY.size).toBe(24);
    expect(WASM_FUNC_INFO.offset).toEqual({ start: 0, func_index: 4, frame_words: 8, frame_start: 10 });
    expect(WASM_FUNC_INFO.size).toBe(12);
    expect(WASM_SITE.size).toBe(8);
    expect(RT_MAILBOX.offset.results - RT_MAILBOX.offset.result_count).toBe(4);
  });
  it('never overlap', () => {
    for (const layout of LAYOUTS) {
      let end = 0;
      for (const field of layout.fields) {
        expect(field.offset).toBeGreaterThanOrEqual(end);
        end = field.offset + field.size;
      }
      expect(end).toBeLessThanOrEqual(layout.size);
    }
  });
});
