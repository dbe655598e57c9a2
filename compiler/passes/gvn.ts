// Global value numbering over the dominator tree, with forwarding of loads and stores by state version. Takes a function;
// gives one in which no value is computed twice on a path. Checks count as values: a check that a dominating one implies
// goes. Knows no cost beyond leaving comparisons where they fuse with their branch.
import { controlFlow, removeUnreachable } from '../analysis/cfg.js';
import { DominatorTree } from '../analysis/dominators.js';
import { readVersions, VersionIndex, versionsAtEntry, writtenVersions } from '../analysis/versions.js';
import { type Func, type Inst, replace, resolve, resolveUses } from '../ir/function.js';
import type { IrModule } from '../ir/module.js';
import { Op, OPS } from '../ir/ops.js';
import { Type } from '../ir/types.js';
import { coversRights, windowRights } from '../ir/windows.js';
import { ValueTable } from './value-table.js';

export interface GvnCounts {
  values: number;
  /** Loads and global.gets whose value was at hand. */
  loads: number;
  /** mem.addr and trap_if that an earlier one implies. */
  checks: number;
}

/** Rewrites `func` in place. */
export function numberValues(func: Func, module: IrModule): GvnCounts {
  removeUnreachable(func);
  const pass = new Numbering(func, module);
  pass.run();
  return pass.counts;
}

/** Comparisons fuse with the branch or select behind them; kept apart, they cost nothing. */
const staysLocal = (op: number): boolean => (op >= Op.I32Eqz && op <= Op.I32GeU) || (op >= Op.F32Eq && op <= Op.F32Ge);

const LOAD_OF_STORE: ReadonlyMap<number, number> = new Map([
  [Op.I32Store, Op.I32Load],
  [Op.I64Store, Op.I64Load],
  [Op.F32Store, Op.F32Load],
  [Op.F64Store, Op.F64Load],
]);
const isLoad = (op: number): boolean => op >= Op.I32Load && op <= Op.F64Load;
const isStore = (op: number): boolean => op >= Op.I32Store && op <= Op.F64Store;

const WIDTHS: ReadonlyMap<number, number> = new Map(
  Object.entries({ 1: ['Load8S', 'Load8U', 'Store8'], 2: ['Load16S', 'Load16U', 'Store16'] }).flatMap(
    ([bytes, names]) =>
      ['I32', 'I64'].flatMap((type) =>
        names.map((name): [number, number] => [Op[(type + name) as 'I32Load'], Number(bytes)]),
      ),
  ),
);
/** Bytes a load or store touches. */
export function accessWidth(op: number): number {
  return WIDTHS.get(op) ?? (op === Op.I64Load || op === Op.F64Load || op === Op.I64Store || op === Op.F64Store ? 8 : 4);
}

/** How many candidates or stores a search looks at before it gives up. */
const SEARCH_LIMIT = 16;

class Numbering {
  readonly counts: GvnCounts = { values: 0, loads: 0, checks: 0 };
  private readonly cfg;
  private readonly tree: DominatorTree;
  private readonly entryVersions: Int32Array;
  private readonly current = new Int32Array(VersionIndex.Count);
  /** Value number by instruction id. */
  private readonly numbers: Int32Array;
  /** Version of the resource before a store or global.set, by instruction id. */
  private readonly before: Int32Array;
  private readonly writers: (Inst | undefined)[] = [];
  private readonly table: ValueTable;
  /** Small numbers for symbols and libcalls. */
  private readonly interned = new Map<unknown, number>();
  private nextNumber = 1;

  constructor(
    private readonly func: Func,
    private readonly module: IrModule,
  ) {
    this.cfg = controlFlow(func);
    this.tree = new DominatorTree(this.cfg);
    this.entryVersions = versionsAtEntry(this.cfg);
    this.table = new ValueTable(func.blocks.reduce((sum, block) => sum + block.insts.length, 0));
    this.numbers = new Int32Array(func.instCount);
    this.before = new Int32Array(func.instCount);
  }

  run(): void {
    const { order } = this.cfg;
    for (let b = 0; b < order.length; b++) {
      const block = order[b]!;
      for (let r = 0; r < VersionIndex.Count; r++) this.current[r] = this.entryVersions[b * VersionIndex.Count + r]!;
      for (const param of block.params) this.numbers[param.id] = this.nextNumber++;
      const { insts } = block;
      let kept = 0;
      for (const inst of insts) {
        const { args } = inst;
        for (let i = 0; i < args.length; i++) args[i] = resolve(args[i]!);
        if (this.visit(inst)) insts[kept++] = inst;
        else inst.block = null;
      }
      insts.length = kept;
    }
    resolveUses(this.func);
  }

  /** False if the instruction goes. */
  private visit(inst: Inst): boolean {
    const info = OPS[inst.op]!;
    const written = writtenVersions(inst);
    if (written !== 0) {
      this.write(inst, written);
      return true;
    }
    if (info.effect === 'terminator' || inst.op === Op.Proj || info.effect === 'call') {
      if (inst.op === Op.LibCall && inst.type !== Type.Multi) return this.merge(inst, 0);
      this.numbers[inst.id] = this.nextNumber++;
      return true;
    }
    return this.merge(inst, readVersions(inst));
  }

  private write(inst: Inst, written: number): void {
    this.numbers[inst.id] = this.nextNumber++;
    const version = inst.id + 1;
    this.writers[version] = inst;
    const own = isStore(inst.op) ? (inst.imm2 === -1 ? VersionIndex.State : VersionIndex.Memory) : VersionIndex.Global;
    this.before[inst.id] = this.current[own]!;
    for (let r = 0; r < VersionIndex.Count; r++) if ((written >> r) & 1) this.current[r] = version;
    this.recordStored(inst);
  }

  /** After a store, a load from the same place gives the stored value. */
  private recordStored(inst: Inst): void {
    const load = LOAD_OF_STORE.get(inst.op);
    const { key } = this.table;
    if (load !== undefined) {
      const value = inst.args[1]!;
      this.setKey(load, value.type, inst, inst.args, 1);
      key[8] = this.current[inst.imm2 === -1 ? VersionIndex.State : VersionIndex.Memory]!;
      this.add(value);
    } else if (inst.op === Op.GlobalSet) {
      const value = inst.args[0]!;
      this.setKey(Op.GlobalGet, value.type, inst, inst.args, 0);
      key[8] = this.current[VersionIndex.Global]!;
      this.add(value);
    }
  }

  private add(value: Inst): void {
    const entry = this.table.find();
    if (entry === -1) this.table.insert(value);
    else this.table.candidates[entry]!.push(value);
  }

  /** Fills the table's key, versions excepted; the first `count` operands belong to it. */
  private setKey(op: number, type: Type, inst: Inst, args: readonly Inst[], count: number): void {
    const { key } = this.table;
    const { numbers } = this;
    key[0] = op * 8 + type;
    key[1] = op === Op.MemAddr ? 0 : inst.imm;
    key[2] = inst.imm2;
    // The pointer is the same whatever a check asks of windows; whether its check is as good, findLeader looks at.
    key[3] = inst.aux === null || op === Op.MemAddr ? 0 : this.intern(inst.aux);
    for (let i = 0; i < 4; i++) key[4 + i] = i < count ? numbers[args[i]!.id]! : 0;
    if (count === 2 && key[4]! > key[5]! && OPS[op]!.commutative) {
      const first = key[4]!;
      key[4] = key[5]!;
      key[5] = first;
    }
    key[8] = key[9] = 0;
  }

  private intern(aux: unknown): number {
    let number = this.interned.get(aux);
    if (number === undefined) this.interned.set(aux, (number = this.interned.size + 1));
    return number;
  }

  /** Numbers a value; false if a dominating instruction has it. */
  private merge(inst: Inst, read: number): boolean {
    const { table } = this;
    if (inst.args.length > 4) {
      this.numbers[inst.id] = this.nextNumber++;
      return true;
    }
    this.setKey(inst.op, inst.type, inst, inst.args, inst.args.length);
    // Memories only grow and never move: a passed check stays passed, and serves every smaller extent.
    if (read !== 0 && inst.op !== Op.MemAddr) {
      let at = 8;
      for (let r = 0; r < VersionIndex.Count; r++) if ((read >> r) & 1) table.key[at++] = this.versionFor(inst, r);
    }
    const entry = table.find();
    if (entry === -1) {
      this.numbers[inst.id] = this.nextNumber++;
      table.insert(inst);
      return true;
    }
    const list = table.candidates[entry]!;
    const leader = staysLocal(inst.op) ? null : this.findLeader(list, inst);
    if (leader !== null) {
      if (isLoad(inst.op) || inst.op === Op.GlobalGet) this.counts.loads++;
      else if (inst.op === Op.MemAddr || inst.type === Type.Void || inst.op === Op.RefSignature) {
        this.counts.checks++;
        this.func.checks?.merge(inst, leader, 'same check before');
      } else this.counts.values++;
      if (inst.type !== Type.Void) replace(inst, leader);
      return false;
    }
    // Equal, but not available here: the same number, so that what is computed from it can still be equal.
    this.numbers[inst.id] = this.numbers[list[0]!.id]!;
    list.push(inst);
    return true;
  }

  private findLeader(list: readonly Inst[], inst: Inst): Inst | null {
    const stop = Math.max(0, list.length - SEARCH_LIMIT);
    for (let i = list.length - 1; i >= stop; i--) {
      const candidate = resolve(list[i]!);
      if (candidate.block === null || candidate.type !== inst.type) continue;
      if (inst.op === Op.MemAddr && !implies(candidate, inst)) continue;
      if (this.tree.dominates(candidate.block, inst.block!)) return candidate;
    }
    return null;
  }

  /** The version a load or global.get may as well be of: stores to other places are looked through. */
  private versionFor(inst: Inst, resource: number): number {
    let version = this.current[resource]!;
    const load = isLoad(inst.op);
    if (!load && inst.op !== Op.GlobalGet) return version;
    for (let i = 0; i < SEARCH_LIMIT && version > 0; i++) {
      const writer = this.writers[version];
      if (writer === undefined) break;
      const apart = load
        ? isStore(writer.op) && this.disjoint(inst, writer)
        : writer.op === Op.GlobalSet && this.otherGlobal(inst, writer);
      if (!apart) break;
      version = this.before[writer.id]!;
    }
    return version;
  }

  private otherGlobal(inst: Inst, writer: Inst): boolean {
    if (inst.imm === writer.imm) return inst.imm2 !== writer.imm2;
    // Two imported globals may be one.
    const { globals } = this.module;
    return globals[inst.imm]!.import === null || globals[writer.imm]!.import === null;
  }

  /** Can the store not touch what the load reads? */
  private disjoint(load: Inst, store: Inst): boolean {
    if (load.imm2 === -1 && store.imm2 === -1) return this.otherState(load, store);
    const [rootA, atA] = place(load);
    const [rootB, atB] = place(store);
    if (rootA !== rootB || load.imm2 !== store.imm2) return false;
    const distance = (atA - atB) | 0;
    return distance >= 0 ? distance >= accessWidth(store.op) : -distance >= accessWidth(load.op);
  }
  private otherState(load: Inst, store: Inst): boolean {
    const [a, b] = [load.args[0]!, store.args[0]!];
    if (a.op !== Op.Symbol || b.op !== Op.Symbol || a.aux !== b.aux) return false;
    return a.imm + load.imm !== b.imm + store.imm;
  }
}

/** Does a check of the same address imply another? */
const implies = (check: Inst, other: Inst): boolean =>
  check.imm >= other.imm && coversRights(windowRights(check), windowRights(other));

/** Root value and constant displacement of an access's address. */
export function place(access: Inst): [root: Inst, offset: number] {
  let at = access.args[0]!;
  let offset = access.imm;
  for (;;) {
    if (at.op === Op.MemAddr) at = at.args[0]!;
    else if (at.op === Op.I32Add && at.args[1]!.op === Op.I32Const) {
      offset += at.args[1]!.imm;
      at = at.args[0]!;
    } else return [at, offset | 0];
  }
}
