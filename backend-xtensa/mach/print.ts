// Text of a machine function over virtual registers, for goldens, dumps and bug reports. Takes it laid out, before
// allocation; there is no parser.
import { registerName } from '../isa/registers.js';
import { rowOf } from '../isa/table.js';
import { BR_BASE, FR_BASE } from '../abi/abi.js';
import { ConstraintKind, OperandKind, type Operand } from '../regalloc/api.js';
import { Pseudo, type MachBlock, type MachFunction, type MachInst } from './inst.js';

const PSEUDO_NAMES: Readonly<Record<number, string>> = {
  [Pseudo.Entry]: 'ENTRY',
  [Pseudo.Return]: 'RETURN',
  [Pseudo.TailCall]: 'TAIL_CALL',
  [Pseudo.TailCallReg]: 'TAIL_CALL_REG',
  [Pseudo.Call]: 'CALL',
  [Pseudo.Move]: 'MOVE',
  [Pseudo.Copy]: 'COPY',
  [Pseudo.MakeFrame]: 'MAKE_FRAME',
  [Pseudo.Jump]: 'JUMP',
  [Pseudo.BrTable]: 'BR_TABLE',
  [Pseudo.TableAddress]: 'TABLE_ADDRESS',
  [Pseudo.Trap]: 'TRAP',
  [Pseudo.Const]: 'CONST',
  [Pseudo.Symbol]: 'SYMBOL',
  [Pseudo.SetIf]: 'SET_IF',
  [Pseudo.MoveUnless]: 'MOVE_UNLESS',
  [Pseudo.AddUnless]: 'ADD_UNLESS',
  [Pseudo.ReadBool]: 'READ_BOOL',
  [Pseudo.Loop]: 'LOOP',
  [Pseudo.LoopEnd]: 'LOOP_END',
  [Pseudo.WindowAddress]: 'WINDOW_ADDRESS',
};

/** Name of an instruction: the table's mnemonic, or a pseudo's name in capitals. */
const nameOf = (op: number): string => PSEUDO_NAMES[op] ?? rowOf(op).name;

function physical(register: number): string {
  if (register >= BR_BASE) return registerName('br', register - BR_BASE);
  return register >= FR_BASE ? registerName('fr', register - FR_BASE) : registerName('ar', register);
}

function operandText({ vreg, constraint, fixed }: Operand): string {
  return constraint === ConstraintKind.Fixed ? `v${vreg}@${physical(fixed)}` : `v${vreg}`;
}

const HAS_BRANCH: ReadonlySet<number> = new Set([Pseudo.SetIf, Pseudo.MoveUnless, Pseudo.AddUnless]);

/** One line, e.g. `v4 = addi v3 #-16` or `bgeui v2 #2 trap 5`. */
export function formatInst(inst: MachInst): string {
  const defs = inst.operands.filter(({ kind }) => kind === OperandKind.Def).map(operandText);
  const uses = inst.operands.filter(({ kind }) => kind === OperandKind.Use).map(operandText);
  const words = [nameOf(inst.op), ...uses];
  if (HAS_BRANCH.has(inst.op)) words.splice(1, 0, nameOf(inst.imm2));
  const immediates =
    inst.op < Pseudo.Entry ? rowOf(inst.op).operands.filter(({ kind }) => /imm$/.test(kind)).length : 0;
  const shown = immediates > 0 || inst.imm !== 0 || inst.op === Pseudo.Const;
  if (inst.symbol !== null) words.push(inst.symbol);
  if (shown) words.push(`#${inst.imm}`);
  if (immediates > 1 || inst.op === Pseudo.WindowAddress) words.push(`#${inst.imm2}`);
  if (inst.op === Pseudo.AddUnless || inst.amount !== 0) words.push(`by ${inst.amount}`);
  if (inst.site !== 0) words.push(`site ${inst.site}`);
  return `${defs.length > 0 ? `${defs.join(', ')} = ` : ''}${words.join(' ')}`;
}

function formatBlock(block: MachBlock): string {
  const params = block.params.length > 0 ? `(${block.params.map((v) => `v${v}`).join(', ')})` : '';
  const edges = block.succs.map(({ target, args }) => {
    const given = args.length > 0 ? `(${args.map((v) => `v${v}`).join(', ')})` : '';
    return `block${target.index}${given}`;
  });
  const lines = block.insts.map((inst) => `  ${formatInst(inst)}`);
  if (edges.length > 0) lines[lines.length - 1] += ` -> ${edges.join(', ')}`;
  return [`block${block.index}${params}:`, ...lines].join('\n');
}

export const formatMach = (mach: MachFunction): string => mach.blocks.map(formatBlock).join('\n');
