// SSA construction for structured control flow: turns reads and writes of local variables into values and block
// parameters, on demand, in one pass. Takes control edges as they appear; gives minimal parameters. Knows no Wasm.
//
// After Braun et al. (Simple and Efficient Construction of SSA Form), with the definitions of a block kept as one
// environment (env.ts), copied at branches. Where edges disagree about a local, the environment of the join holds the
// join's *marker*; only a read turns a marker into a parameter. So locals that are dead, or do not change, cost none.
import { DiagnosticError, InternalError } from '../diagnostics.js';
import { Inst, resolve, resolveUses, type Block, type Edge, type Func } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { Type } from '../ir/types.js';
import { EnvStore, type Env } from './env.js';

/** Environment slots touched per function before we call it too complex: far above real code, a second of work. */
const MAX_WORK = 2 ** 27;
/** Parameters of a join up to which a linear search beats a map. */
const FEW = 8;

/** A block that several edges may enter. A loop header takes further edges until it is sealed. */
export class Join {
  /** Incoming edges and the environments they bring; for a loop, number 0 is the entry. */
  readonly edges: Edge[] = [];
  readonly envs: Env[] = [];
  /** Locals that have a parameter, in the order of the parameters behind the `valueParams` first ones. */
  readonly locals: number[] = [];
  private readonly params: Inst[] = [];
  private byLocal: Map<number, Inst> | null = null;
  valueParams = 0;
  sealed = false;
  /** Stands in environments for "this local's value on entry to this block": an instruction with a negative id. */
  readonly marker: Inst;
  constructor(readonly block: Block) {
    this.marker = new Inst(-1, Op.Param, Type.Void, [], 0, 0);
    this.marker.aux = this;
  }

  /** Parameter of the k-th of `locals`, even if replaced since. */
  param(k: number): Inst {
    return this.params[k]!;
  }
  paramOf(local: number): Inst | undefined {
    if (this.byLocal !== null) return this.byLocal.get(local);
    const at = this.locals.indexOf(local);
    return at < 0 ? undefined : this.params[at];
  }
  add(local: number, param: Inst): void {
    this.locals.push(local);
    this.params.push(param);
    if (this.byLocal !== null) this.byLocal.set(local, param);
    else if (this.locals.length > FEW) this.byLocal = new Map(this.locals.map((l, k) => [l, this.params[k]!]));
  }
}

/** Builds one function. `block` is where instructions go; it is only meaningful while the point is reachable. */
export class SsaBuilder {
  block: Block;
  private env: Env;
  private readonly envs: EnvStore;
  private readonly entryMarker: Inst;
  private readonly joins: Join[] = [];
  private readonly zeros: (Inst | null)[] = [null, null, null, null, null];
  /** Parameters whose edge arguments are yet to be added: number k of the join's locals. */
  private readonly pendingJoins: Join[] = [];
  private readonly pendingPlaces: number[] = [];
  private forwarded = false;

  /** The parameters of `func` are its first locals; `localTypes` are the IR types of all. */
  constructor(
    private readonly func: Func,
    private readonly localTypes: Uint8Array,
  ) {
    this.block = func.addBlock();
    const params = func.signature.params.map((type) => func.addParam(this.block, type));
    const marker = new Inst(-1, Op.Param, Type.Void, [], 0, 0);
    this.entryMarker = marker;
    this.envs = new EnvStore(localTypes.length);
    this.env = this.envs.create((local) => params[local] ?? marker);
  }

  /** Starts `block`, which has one predecessor; `env` is what that left, null if it is the current environment. */
  startBlock(block: Block, env: Env | null): void {
    this.func.blocks.push(block);
    this.block = block;
    if (env !== null) this.env = this.copy(env);
  }

  /** A copy of the current environment, to go with an edge. */
  snapshot(): Env {
    return this.copy(this.env);
  }

  newJoin(): Join {
    const join = new Join(this.func.createBlock());
    this.joins.push(join);
    return join;
  }

  /** Adds an edge to `join` that brings `env` and the operand values `args`. The caller puts it into a terminator. */
  edgeTo(join: Join, args: Inst[], env: Env): Edge {
    const edge: Edge = { block: join.block, args };
    this.attach(join, edge, env);
    return edge;
  }
  attach(join: Join, edge: Edge, env: Env): void {
    if (join.sealed) throw new InternalError('edge to a sealed join');
    edge.block = join.block;
    join.edges.push(edge);
    join.envs.push(env);
  }

  /** Continues at a join all of whose edges are known. Gives the parameters for its operand values. */
  enterJoin(join: Join, types: readonly Type[]): Inst[] {
    const params = this.begin(join, types);
    join.sealed = true;
    this.env = this.envs.merge(join.envs, this.known, join.marker);
    this.checkWork();
    return params;
  }

  /** Continues at a loop header that has its entry edge only. `assigned`: locals that the loop may write. */
  enterLoop(join: Join, types: readonly Type[], assigned: Iterable<number>): Inst[] {
    const params = this.begin(join, types);
    const { envs, localTypes } = this;
    this.env = this.copy(this.env);
    for (const local of assigned) if (local < localTypes.length) envs.set(this.env, local, join.marker);
    return params;
  }

  /** All edges of a loop header are known. */
  sealLoop(join: Join): void {
    join.sealed = true;
    const { edges, envs, locals } = join;
    const known = locals.length;
    for (let e = 1; e < edges.length; e++) {
      for (let k = 0; k < known; k++) edges[e]!.args.push(this.valueIn(envs[e]!, locals[k]!));
    }
    this.drain();
    for (let k = known - 1; k >= 0; k--) this.simplify(join, k);
  }

  readLocal(local: number): Inst {
    const value = this.envs.get(this.env, local);
    if (value.id >= 0 && value.forward === null) return value;
    let found = this.valueIn(this.env, local);
    if (this.pendingJoins.length > 0) {
      this.drain();
      found = resolve(found);
    }
    this.envs.refine(this.env, local, found);
    return found;
  }

  writeLocal(local: number, value: Inst): void {
    this.envs.set(this.env, local, value);
  }

  /** Removes parameters that turned out to be needless and settles all operands. */
  finish(): void {
    // Removing one parameter can make another trivial; two or three rounds reach the end in practice.
    for (let round = 0, changed = true; changed && round < 8; round++) {
      changed = false;
      for (const join of this.joins) {
        for (let k = 0; k < join.locals.length; k++) if (this.simplify(join, k)) changed = true;
      }
    }
    if (this.forwarded) {
      for (const join of this.joins) compact(join);
      resolveUses(this.func);
    }
    const zeros = this.zeros.filter((inst) => inst !== null);
    const { entry } = this.func;
    for (const inst of zeros) inst.block = entry;
    if (zeros.length > 0) entry.insts = [...zeros, ...entry.insts];
  }

  private begin(join: Join, types: readonly Type[]): Inst[] {
    const { block } = join;
    join.valueParams = types.length;
    this.func.blocks.push(block);
    this.block = block;
    return types.map((type) => this.func.addParam(block, type));
  }

  private copy(env: Env): Env {
    this.checkWork();
    return this.envs.copy(env);
  }

  private checkWork(): void {
    if (this.envs.work > MAX_WORK) {
      throw new DiagnosticError('W501', 'too many locals and branches in one function');
    }
  }

  /** The value if it exists already, else the marker. */
  private readonly known = (value: Inst, local: number): Inst => {
    if (value.id >= 0) return value.forward === null ? value : resolve(value);
    if (value === this.entryMarker) return value;
    const param = (value.aux as Join).paramOf(local);
    return param === undefined ? value : resolve(param);
  };

  private valueIn(env: Env, local: number): Inst {
    const value = this.known(this.envs.get(env, local), local);
    if (value.id >= 0) return value;
    const type: Type = this.localTypes[local]!;
    if (value === this.entryMarker) return this.zero(type);
    const join = value.aux as Join;
    const param = this.func.addParam(join.block, type);
    this.pendingJoins.push(join);
    this.pendingPlaces.push(join.locals.length);
    join.add(local, param);
    return param;
  }

  /** Adds the edge arguments of new parameters, first come first served, so that they stay in parameter order. */
  private drain(): void {
    const { pendingJoins, pendingPlaces } = this;
    for (let i = 0; i < pendingJoins.length; i++) {
      const join = pendingJoins[i]!;
      const local = join.locals[pendingPlaces[i]!]!;
      const edges = join.sealed ? join.edges.length : 1;
      for (let e = 0; e < edges; e++) join.edges[e]!.args.push(this.valueIn(join.envs[e]!, local));
    }
    // Latest first: what a parameter depends on was found after it.
    for (let i = pendingJoins.length - 1; i >= 0; i--) this.simplify(pendingJoins[i]!, pendingPlaces[i]!);
    pendingJoins.length = 0;
    pendingPlaces.length = 0;
  }

  /** Replaces the k-th local's parameter by its only value, if it has only one. True if it did. */
  private simplify(join: Join, k: number): boolean {
    if (!join.sealed) return false;
    const param = join.param(k);
    if (param.forward !== null) return false;
    const at = join.valueParams + k;
    let only: Inst | null = null;
    for (const edge of join.edges) {
      const arg = resolve(edge.args[at]!);
      if (arg === param || arg === only) continue;
      if (only !== null) return false;
      only = arg;
    }
    if (only === null) throw new InternalError('block parameter without a value');
    param.forward = only;
    this.forwarded = true;
    return true;
  }

  /** Initial value of declared locals; placed at the start of the function by `finish`. */
  private zero(type: Type): Inst {
    const ops = [0, Op.I32Const, Op.I64Const, Op.F32Const, Op.F64Const];
    return (this.zeros[type] ??= this.func.create(ops[type]!, []));
  }
}

/** Drops replaced parameters and the edge arguments that fed them. */
function compact(join: Join): void {
  const { block, edges, locals, valueParams } = join;
  const keep: number[] = [];
  for (let k = 0; k < locals.length; k++) if (join.param(k).forward === null) keep.push(valueParams + k);
  if (keep.length === locals.length) return;
  const shrink = (list: Inst[]): Inst[] => {
    const kept = list.slice(0, valueParams);
    for (const at of keep) kept.push(list[at]!);
    return kept;
  };
  block.params = shrink(block.params);
  for (const edge of edges) edge.args = shrink(edge.args);
}
