// The shape of a selection rule table. Knows nothing else.
import type { Inst } from '../../compiler/ir/function.js';
import type { Lowering } from './context.js';

/** Emits the machine instructions of one IR instruction; its operands via `lo.use`, its result via `lo.def`. */
export type Rule = (lo: Lowering, inst: Inst) => void;

/** Rules by IR op number. */
export type Rules = Readonly<Record<number, Rule>>;
