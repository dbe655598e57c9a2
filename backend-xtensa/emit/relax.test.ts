// Relaxation and islands on random code: every branch reaches its label in the final bytes, every check its own trap or
// way out of line, no item exceeds its declared worst size.
import { describe, expect, test } from 'vitest';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { decodeAt } from '../isa/decode.js';
import { Op } from '../isa/table.js';
import { CodeBuffer, stubBytes } from './code-buffer.js';
import { encodeFunction } from './encode-function.js';
import { BRANCH_BYTES, ItemKind, MAX_ITEM_BYTES } from './label-use.js';
import { relax } from './relax.js';

/** Deterministic generator (xorshift). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

interface Expected {
  /** Item -> what it is. */
  readonly marks: { item: number; label: number; check: boolean }[];
}

function randomBuffer(seed: number, items: number): { buffer: CodeBuffer; expected: Expected } {
  const random = randomNumbers(seed);
  const buffer = new CodeBuffer();
  const labels = Array.from({ length: 1 + (items >> 4) }, () => buffer.newLabel());
  const places = new Map<number, number[]>();
  for (const label of labels) {
    const at = random(items);
    places.set(at, [...(places.get(at) ?? []), label]);
  }
  const marks: Expected['marks'] = [];
  while (buffer.count < items) {
    for (const label of places.get(buffer.count) ?? []) buffer.bind(label);
    places.delete(buffer.count);
    buffer.setWeight(10 ** random(3));
    const label = labels[random(labels.length)]!;
    const item = buffer.count;
    switch (random(9)) {
      case 0:
        buffer.branch([Op.BEQ, Op.BLTU][random(2)]!, 2, 3, label);
        marks.push({ item, label, check: false });
        break;
      case 1:
        buffer.branch([Op.BEQZ, Op.BNEZ, Op.BLTZ][random(3)]!, 2, 0, label);
        marks.push({ item, label, check: false });
        break;
      case 2:
        buffer.check([Op.BGEU, Op.BEQZ, Op.BLTUI][random(3)]!, 2, 4, 5, 1000 + item);
        marks.push({ item, label: buffer.stubs.length - 1, check: true });
        break;
      case 3:
        buffer.outOfLine([Op.BGEU, Op.BEQZ][random(2)]!, 2, 4, label);
        marks.push({ item, label, check: false });
        break;
      case 4:
        if (random(4) === 0) {
          buffer.jump(label);
          marks.push({ item, label, check: false });
        } else buffer.constant(4, random(1 << 30));
        break;
      default:
        buffer.inst(Op.ADDI, 2, 2, random(128));
    }
  }
  for (const rest of places.values()) for (const label of rest) buffer.bind(label);
  buffer.inst(Op.RET_N);
  return { buffer, expected: { marks } };
}

/** Offset where control goes from `at` if the condition of the branch there holds. */
function takenTarget(bytes: Uint8Array, at: number): number {
  const first = decodeAt(bytes, at, at)!;
  const target = at + first.operands[first.operands.length - 1]!;
  return target;
}

describe('relax', () => {
  for (const [items, count] of [
    [20, 40],
    [150, 40],
    [1500, 10],
    [6000, 3],
  ] as const) {
    test(`${count} random functions of ${items} items`, () => {
      for (let seed = 1; seed <= count; seed++) {
        const { buffer, expected } = randomBuffer(seed * 77 + items, items);
        const layout = relax(buffer);
        const { bytes, entry, sites } = encodeFunction(buffer, 'f', null);
        const traps = new Set(sites.map(({ offset, wasmOffset }) => `${offset}:${wasmOffset}`));
        for (const { item, label, check } of expected.marks) {
          const at = entry + layout.offsets[item]!;
          const form = layout.forms[item]!;
          const wanted = check ? -1 : entry + layout.offsets[buffer.labels[label]!]!;
          const target = takenTarget(bytes, at);
          const stub = buffer.kind[item] === ItemKind.Check ? buffer.stubs[buffer.ref[item]!]! : null;
          if (buffer.kind[item] === ItemKind.Jump) expect(target).toBe(wanted);
          else if (form === 2) {
            // Inverted over its own jump or trap.
            const size = stub === null ? BRANCH_BYTES[2]! : 3 + stubBytes(stub);
            expect(target).toBe(at + size);
            if (check) {
              expect(decodeAt(bytes, at + 3, at + 3)!.opcode).toBe(Op.ILL_N);
              expect(traps.has(`${at + 3}:${1000 + item}`)).toBe(true);
            } else expect(takenTarget(bytes, at + 3)).toBe(wanted);
          } else if (check) {
            expect(decodeAt(bytes, target, target)!.opcode).toBe(Op.ILL_N);
            expect(traps.has(`${target}:${1000 + item}`)).toBe(true);
          } else if (stub !== null) expect(takenTarget(bytes, target)).toBe(wanted);
          else expect(target).toBe(wanted);
        }
        for (let i = 0; i < buffer.count; i++) {
          const island = layout.islands.filter((x) => x.item === i + 1);
          const extra = island.reduce((sum, x) => sum + (x.jumpOver ? 3 : 0) + x.bytes, 0);
          const size = layout.offsets[i + 1]! - layout.offsets[i]! - extra;
          expect(size).toBeGreaterThan(0);
          expect(size).toBeLessThanOrEqual(MAX_ITEM_BYTES);
        }
      }
    });
  }

  test('a jump out of reach is a limit, not a wrong target', () => {
    const buffer = new CodeBuffer();
    const end = buffer.newLabel();
    buffer.jump(end);
    for (let i = 0; i < 44000; i++) buffer.inst(Op.SUB, 2, 2, 3);
    buffer.bind(end);
    buffer.inst(Op.RET_N);
    expect(() => relax(buffer)).toThrow(DiagnosticError);
  });

  test('equal literals share one word', () => {
    const buffer = new CodeBuffer();
    buffer.constant(2, 100000);
    buffer.constant(3, 100000);
    buffer.symbolAddress(4, 'x', 4);
    buffer.symbolAddress(5, 'x', 4);
    buffer.inst(Op.RET_N);
    const { entry, relocations } = encodeFunction(buffer, 'f', 0x1234);
    expect(entry).toBe(12);
    expect(relocations).toEqual([{ offset: 4, kind: 'abs32', symbol: 'x', addend: 4 }]);
  });
});
