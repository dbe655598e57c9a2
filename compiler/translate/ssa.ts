// SSA construction for structured control flow: turns reads and writes of local variables into values and block
// parameters, on demand, in one pass. Takes control edges as they appear; gives minimal parameters. Knows no Wasm.
//
// After Braun et al. (Simple and Efficient Construction of SSA Form), with the definitions of a block kept as one array
// of values (an environment), copied at branches. Where edges disagree about a local, the environment of the join holds
// the join's *marker*; only a read turns a marker into a parameter. So locals that are dead, or do not change, cost none.
import { DiagnosticError, InternalError } from '../diagnostics.js';
import { Inst, resolve, resolveUses, type Block, type Edge, type Func } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { Type } from '../ir/types.js';

/** Values of all locals at one point; an element with a negative id is the marker of a join. */
export type Env = Inst[];

/** Copied environment slots per function before we call it too complex: far above real code, seconds of work. */
const MAX_WORK = 2 ** 30;

/** A block that several edges may enter. A loop header takes further edges until it is sealed. */
export class Join {
  /** Incoming edges and the environments they bring; for a loop, number 0 is the entry. */
  readonly edges: Edge[] = [];
  readonly envs: Env[] = [];
  /** Locals that have a parameter, in the order of the parameters behind the `valueParams` first ones. */
  readonly locals: number[] = [];
  readonly params = new Map<number, Inst>();
  valueParams = 0;
  sealed = false;
  /** Stands in environments for "this local's value on entry to this block". */
  readonly marker: Inst;
  constructor(readonly block: Block) {
    this.marker = new Inst(-1, Op.Param, Type.Void, [], 0, 0);
    this.marker.aux = this;
  }
}

/** Builds one function. `block` is where instructions go; it is only meaningful while the point is reachable. */
export class SsaBuilder {
  block: Block;
  private env: Env;
  private readonly entryMarker: Inst;
  private readonly joins: Join[] = [];
  private readonly zeros: (Inst | null)[] = [null, null, null, null, null];
  /** Parameters whose edge arguments are yet to be added: join and local alternate. */
  private pendingJoins: Join[] = [];
  private pendingLocals: number[] = [];
  private forwarded = false;
  private work = 0;

  /** The parameters of `func` are its first locals; `localTypes` are the IR types of all. */
  constructor(
    private readonly func: Func,
    private readonly localTypes: Uint8Array,
  ) {
    this.block = func.addBlock();
    this.entryMarker = new Inst(-1, Op.Param, Type.Void, [], 0, 0);
    const env: Env = new Array<Inst>(localTypes.length).fill(this.entryMarker);
    func.signature.params.forEach((type, i) => (env[i] = func.addParam(this.block, type)));
    this.env = env;
  }

  /** Starts `block`, which has one predecessor that left `env`. */
  startBlock(block: Block, env: Env | null): void {
    this.func.blocks.push(block);
    this.block = block;
    if (env !== null) this.env = env;
  }

  /** A copy of the current environment. */
  snapshot(): Env {
    this.spend(this.env.length);
    return this.env.slice();
  }
  /** The current environment itself: for a branch after which nothing is reachable. */
  release(): Env {
    return this.env;
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
    const { envs } = join;
    const first = envs[0]!;
    const env = first.slice();
    this.spend(env.length);
    for (let e = 1; e < envs.length; e++) {
      const other = envs[e]!;
      if (other === envs[e - 1]) continue;
      this.spend(env.length);
      for (let i = 0; i < env.length; i++) {
        const value = env[i]!;
        if (value === join.marker || value === other[i]) continue;
        const a = this.known(value, i);
        env[i] = a === this.known(other[i]!, i) ? a : join.marker;
      }
    }
    this.env = env;
    return params;
  }

  /** Continues at a loop header that has its entry edge only. `assigned`: locals that the loop may write. */
  enterLoop(join: Join, types: readonly Type[], assigned: Iterable<number>): Inst[] {
    const params = this.begin(join, types);
    const env = this.snapshot();
    for (const local of assigned) if (local < env.length) env[local] = join.marker;
    this.env = env;
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
    const value = this.env[local]!;
    if (value.id >= 0 && value.forward === null) return value;
    let found = this.valueIn(this.env, local);
    if (this.pendingJoins.length > 0) {
      this.drain();
      found = resolve(found);
    }
    this.env[local] = found;
    return found;
  }

  writeLocal(local: number, value: Inst): void {
    this.env[local] = value;
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
    for (const join of this.joins) compact(join);
    if (this.forwarded) resolveUses(this.func);
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

  private spend(slots: number): void {
    this.work += slots;
    if (this.work > MAX_WORK) throw new DiagnosticError('W501', 'too many locals and branches in one function');
  }

  /** The value if it exists already, else the marker. */
  private known(value: Inst, local: number): Inst {
    if (value.id >= 0) return value.forward === null ? value : resolve(value);
    if (value === this.entryMarker) return value;
    const param = (value.aux as Join).params.get(local);
    return param === undefined ? value : resolve(param);
  }

  private valueIn(env: Env, local: number): Inst {
    const value = this.known(env[local]!, local);
    if (value.id >= 0) return value;
    const type: Type = this.localTypes[local]!;
    if (value === this.entryMarker) return this.zero(type);
    const join = value.aux as Join;
    const param = this.func.addParam(join.block, type);
    join.params.set(local, param);
    join.locals.push(local);
    this.pendingJoins.push(join);
    this.pendingLocals.push(local);
    return param;
  }

  /** Adds the edge arguments of new parameters, first come first served, so that they stay in parameter order. */
  private drain(): void {
    const { pendingJoins, pendingLocals } = this;
    for (let i = 0; i < pendingJoins.length; i++) {
      const join = pendingJoins[i]!;
      const edges = join.sealed ? join.edges.length : 1;
      for (let e = 0; e < edges; e++) join.edges[e]!.args.push(this.valueIn(join.envs[e]!, pendingLocals[i]!));
    }
    for (let i = pendingJoins.length - 1; i >= 0; i--) {
      const join = pendingJoins[i]!;
      // Only the last parameter's place is known without a search; the others are found by the final rounds.
      const last = join.locals.length - 1;
      if (join.locals[last] === pendingLocals[i]) this.simplify(join, last);
    }
    pendingJoins.length = 0;
    pendingLocals.length = 0;
  }

  /** Replaces the k-th local's parameter by its only value, if it has only one. True if it did. */
  private simplify(join: Join, k: number): boolean {
    if (!join.sealed) return false;
    const param = join.params.get(join.locals[k]!)!;
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
  const { block, edges, locals, params, valueParams } = join;
  const keep: number[] = [];
  for (let k = 0; k < locals.length; k++) if (params.get(locals[k]!)!.forward === null) keep.push(valueParams + k);
  if (keep.length === locals.length) return;
  const shrink = (list: Inst[]): Inst[] => {
    const kept = list.slice(0, valueParams);
    for (const at of keep) kept.push(list[at]!);
    return kept;
  };
  block.params = shrink(block.params);
  for (const edge of edges) edge.args = shrink(edge.args);
}
