// Takes blocks with weights that only tell loop depth and coldness, gives estimated execution frequencies: within a
// loop level each branch halves what flows on, a loop's exits share a tenth. Knows no instruction.
//
// One pass in reverse postorder, after Wu & Larus, "Static branch frequency and program profile analysis" (MICRO 1994),
// with the loop's multiplicity taken from the weights instead of from cyclic probabilities.

import { f64, i32, u8 } from './scratch.js';

/** Weights below this are cold code, which is believed as it is. */
const COLD = 0.1;
/** A successor lighter than the block by this factor lies outside the block's loop. */
const EXIT_RATIO = 4;
const EXIT_SHARE = 0.1;
/** However unlikely the way to it, a block counts at least this fraction of its weight. */
const FLOOR = 0.01;

type Edges = readonly (readonly number[])[];

function reversePostorder(succs: Edges): Int32Array {
  const order = i32(succs.length);
  const seen = u8(succs.length);
  const next = i32(succs.length);
  const stack = [0];
  let at = succs.length;
  seen[0] = 1;
  while (stack.length > 0) {
    const block = stack[stack.length - 1]!;
    if (next[block]! < succs[block]!.length) {
      const succ = succs[block]![next[block]!]!;
      next[block]!++;
      if (seen[succ] === 0) {
        seen[succ] = 1;
        stack.push(succ);
      }
    } else {
      order[--at] = block;
      stack.pop();
    }
  }
  return order.subarray(at);
}

/** Sends the frequency of `block` on to its successors. */
function distribute(block: number, frequency: number, weights: Float64Array, succs: Edges, incoming: Float64Array) {
  const targets = succs[block]!;
  let exits = 0;
  let stays = 0;
  for (let k = 0; k < targets.length; k++) {
    const weight = weights[targets[k]!]!;
    if (weight < COLD) continue;
    if (weight * EXIT_RATIO <= weights[block]!) exits++;
    else stays++;
  }
  const exitShare = exits === 0 ? 0 : (stays === 0 ? 1 : EXIT_SHARE) / exits;
  const stayShare = stays === 0 ? 0 : (exits === 0 ? 1 : 1 - EXIT_SHARE) / stays;
  for (let k = 0; k < targets.length; k++) {
    const weight = weights[targets[k]!]!;
    if (weight < COLD) continue;
    incoming[targets[k]!]! += frequency * (weight * EXIT_RATIO <= weights[block]! ? exitShare : stayShare);
  }
}

/** Estimated frequency per block. `weights` are about 10^depth in loops, and below 0.1 in cold code. */
export function blockFrequencies(weights: Float64Array, succs: Edges, preds: Edges): Float64Array {
  const count = weights.length;
  const result = f64(weights.length);
  result.set(weights);
  if (count === 0) return result;
  const order = reversePostorder(succs);
  const number = i32(count, -1);
  for (let k = 0; k < order.length; k++) number[order[k]!] = k;
  const incoming = f64(count);
  for (let k = 0; k < order.length; k++) {
    const block = order[k]!;
    const weight = weights[block]!;
    if (k > 0 && weight >= COLD) {
      let isHeader = false;
      let outside = 0;
      const from = preds[block]!;
      for (let n = 0; n < from.length; n++) {
        if (number[from[n]!]! >= k) isHeader = true;
        else outside = Math.max(outside, weights[from[n]!]!);
      }
      const rounds = isHeader && outside >= COLD ? Math.max(1, weight / outside) : 1;
      result[block] = Math.min(weight, Math.max(weight * FLOOR, incoming[block]! * rounds));
    }
    distribute(block, result[block]!, weights, succs, incoming);
  }
  return result;
}
