// Sizes and offsets of a code buffer: starts with the shortest forms and lengthens those that do not reach until all do.
// Takes a buffer and its islands, gives forms and offsets. Invariant: forms only grow, so it ends; no item exceeds
// MAX_ITEM_BYTES. Knows no bytes.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { LoopConflict } from '../mach/hardware-loops.js';
import { rowOf } from '../isa/table.js';
import { alignBytes, type CodeBuffer, stubBytes } from './code-buffer.js';
import { placeIslands, type Island } from './islands.js';
import {
  BRANCH_BYTES,
  Form,
  INVERTED_BYTES,
  ItemKind,
  JUMP_BYTES,
  JUMP_MAXIMUM,
  JUMP_MINIMUM,
  LOOP_MAXIMUM,
  NARROW_MAXIMUM,
  NARROW_MINIMUM,
  branchInfo,
} from './label-use.js';

export interface CodeLayout {
  /** Form of each item (branches and checks). */
  readonly forms: Uint8Array;
  /** Offset of each item from the first one; [count] = size of the code. */
  readonly offsets: Int32Array;
  readonly islands: readonly Island[];
  /** Offset of each island. */
  readonly islandOffsets: Int32Array;
  /** Offset of each stub, -1 if it directly follows its check. */
  readonly stubOffsets: Int32Array;
}

export function relax(buffer: CodeBuffer): CodeLayout {
  const { count, kind, op } = buffer;
  const sizes = new Uint8Array(count);
  const forms = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    switch (kind[i]) {
      case ItemKind.Branch:
      case ItemKind.Check:
        forms[i] = branchInfo(op[i]!).narrow >= 0 ? Form.Narrow : Form.Direct;
        sizes[i] = BRANCH_BYTES[forms[i]!]!;
        break;
      default:
        sizes[i] = rowOf(op[i]!).size;
    }
  }
  const offsets = new Int32Array(count + 1);
  assign(buffer, offsets, sizes, [], null);
  const islands = placeIslands(buffer, offsets);
  const islandOffsets = new Int32Array(islands.length);
  const stubOffsets = new Int32Array(buffer.stubs.length);
  do {
    assign(buffer, offsets, sizes, islands, islandOffsets);
    islands.forEach((island, k) => {
      let at = islandOffsets[k]! + (island.jumpOver ? JUMP_BYTES : 0);
      for (const stub of island.stubs) {
        stubOffsets[stub] = at;
        at += stubBytes(buffer.stubs[stub]!);
      }
    });
  } while (growForms(buffer, offsets, stubOffsets, forms, sizes));
  // Checks that got a stub right behind them leave the other one unused; it stays where it is, and nobody reaches it.
  for (let s = 0; s < buffer.stubs.length; s++) {
    if (forms[buffer.stubs[s]!.item] === Form.Inverted) stubOffsets[s] = -1;
  }
  return { forms, offsets, islands, islandOffsets, stubOffsets };
}

function assign(
  { kind }: CodeBuffer,
  offsets: Int32Array,
  sizes: Uint8Array,
  islands: readonly Island[],
  islandOffsets: Int32Array | null,
): void {
  const count = sizes.length;
  let at = 0;
  let next = 0;
  for (let i = 0; i <= count; i++) {
    while (next < islands.length && islands[next]!.item === i) {
      const island = islands[next]!;
      islandOffsets![next++] = at;
      at += (island.jumpOver ? JUMP_BYTES : 0) + island.bytes;
    }
    offsets[i] = at;
    if (i < count) at += kind[i] === ItemKind.Align ? alignBytes(at) : sizes[i]!;
  }
}

/** A body of at least one instruction. */
const LOOP_MINIMUM = 5;

function checkJump(distance: number): void {
  if (distance < JUMP_MINIMUM || distance > JUMP_MAXIMUM) {
    throw new DiagnosticError('W501', 'a jump within the function exceeds 128 KiB of machine code');
  }
}

/** Lengthens every item that does not reach; true if there was one. */
function growForms(
  buffer: CodeBuffer,
  offsets: Int32Array,
  stubOffsets: Int32Array,
  forms: Uint8Array,
  sizes: Uint8Array,
): boolean {
  const { count, kind, op, ref, labels } = buffer;
  let grew = false;
  const far = new Set<number>();
  for (let i = 0; i < count; i++) {
    const k = kind[i]!;
    if (k === ItemKind.Branch || k === ItemKind.Check) {
      const form = forms[i]!;
      if (form === Form.Inverted) {
        if (k === ItemKind.Branch) checkJump(offsets[labels[ref[i]!]!]! - offsets[i]! - INVERTED_BYTES);
        continue;
      }
      const target = k === ItemKind.Branch ? offsets[labels[ref[i]!]!]! : stubOffsets[ref[i]!]!;
      const distance = target - offsets[i]!;
      if (form === Form.Narrow) {
        if (distance >= NARROW_MINIMUM && distance <= NARROW_MAXIMUM) continue;
        forms[i] = Form.Direct;
      } else {
        const info = branchInfo(op[i]!);
        if (distance >= info.minimum && distance <= info.maximum) continue;
        forms[i] = Form.Inverted;
      }
      const isCheck = k === ItemKind.Check && forms[i] === Form.Inverted;
      sizes[i] = isCheck ? INVERTED_BYTES + stubBytes(buffer.stubs[ref[i]!]!) : BRANCH_BYTES[forms[i]!]!;
      grew = true;
    } else if (k === ItemKind.Loop) {
      const distance = offsets[labels[ref[i]!]!]! - offsets[i]!;
      if (distance < LOOP_MINIMUM || distance > LOOP_MAXIMUM) far.add(buffer.operands[4 * i + 1]!);
    } else if (k === ItemKind.Jump) {
      checkJump(offsets[labels[ref[i]!]!]! - offsets[i]!);
    }
  }
  for (let s = 0; s < buffer.stubs.length; s++) {
    const { item, label } = buffer.stubs[s]!;
    if (label < 0) continue;
    const from = forms[item] === Form.Inverted ? offsets[item]! + INVERTED_BYTES : stubOffsets[s]!;
    checkJump(offsets[labels[label]!]! - from);
  }
  if (far.size > 0) throw new LoopConflict(far);
  return grew;
}
