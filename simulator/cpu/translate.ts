// Translates hot regions to JavaScript functions: registers in locals, structured control flow, inline memory fast paths.
// Whatever is not an ordinary access or instruction leaves the region before it, so the interpreter does it and generated
// code never faults. Takes an entry of the code cache, adds a region to it.
//
// Structured emission follows Ramsey, "Beyond Relooper" (ICFP 2022): a node's code contains the code of the nodes it
// immediately dominates; those with several forward predecessors follow a labelled block, loop headers open a loop.

import type { IsaFeature } from '../../backend-xtensa/isa/types.js';
import type { Memory } from '../bus/memory.js';
import { PAGE_BYTES, PAGE_SHIFT } from '../bus/memory.js';
import type { CodeCache, Entry, RegionFunction } from './code-cache.js';
import { Region } from './code-cache.js';
import type { Core } from './core.js';
import type { DecodedOp } from './decoded.js';
import type { Interpreter } from './interpreter.js';
import type { CodeSource, Edge, Node, RegionGraph } from './region-graph.js';
import { buildRegionGraph } from './region-graph.js';
import { Runtime } from './runtime.js';
import { usesFloat } from './step-handlers.js';
import { SR } from './state.js';
import type { Emitter } from './templates.js';
import { TEMPLATES } from './templates.js';

/** How often a region may be made again because one of its cold exits turned out hot. */
const MAX_REBUILDS = 3;

export interface TranslatorOptions {
  readonly features: ReadonlySet<IsaFeature>;
  readonly unaligned: boolean;
  readonly isBarrier: (pc: number) => boolean;
}

export class Translator {
  private readonly runtime: Runtime;
  private readonly code: CodeSource;
  private entryPc = 0;
  /** Generation of the code cache that `coldExits` belongs to. */
  private generation = 0;
  /** Entries whose regions leave to an address that had not run when they were made. */
  private readonly coldExits = new Map<number, Set<Entry>>();

  constructor(
    private readonly core: Core,
    private readonly memory: Memory,
    private readonly cache: CodeCache,
    private readonly interpreter: Interpreter,
    private readonly options: TranslatorOptions,
  ) {
    this.runtime = new Runtime(core, memory);
    this.code = {
      warmBlock: (pc) => this.warmBlock(pc),
      loopBegin: (end) => core.loopEnds.get(end),
      isBarrier: options.isBarrier,
      isTranslatable: (op) => options.features.has(op.row.feature),
    };
  }

  private warmBlock(pc: number): readonly DecodedOp[] | undefined {
    const entry = this.cache.find(pc);
    // Behind the end of a hardware loop no block begins for the interpreter, so such code is taken as it comes.
    const warm = pc === this.entryPc || entry?.warm === true || this.core.loopEnds.has(pc);
    if (!warm) return undefined;
    return this.interpreter.blockOf(entry ?? this.cache.entry(pc))?.ops;
  }

  /** Makes a region for the entry, if its first instruction allows one. */
  translate(entry: Entry): void {
    this.entryPc = entry.pc;
    // A machine that runs program after program must not keep the code of all of them alive.
    if (this.generation !== this.cache.generation) {
      this.generation = this.cache.generation;
      this.coldExits.clear();
    }
    this.rebuildNeighbours(entry.pc);
    const graph = buildRegionGraph(entry.pc, this.code);
    if (graph === undefined || graph.nodes[0]?.ops.length === 0) {
      entry.heat = -Infinity;
      return;
    }
    const emission = new RegionEmission(graph, this.memory, this.options.unaligned);
    const source = emission.source();
    const run = this.runtime.evaluate(source) as RegionFunction;
    // The code itself was covered when its blocks were decoded.
    for (const address of emission.literals) this.cache.cover(address, address + 4);
    this.cache.addRegion(
      entry,
      new Region(run, emission.maxInstructions, emission.maxCycles, emission.usesFloat, emission.start, emission.end),
    );
    for (const pc of emission.exits) {
      const set = this.coldExits.get(pc);
      if (set === undefined) this.coldExits.set(pc, new Set([entry]));
      else set.add(entry);
    }
  }

  /** `pc` is hot: regions that leave to it are made again with it inside. */
  private rebuildNeighbours(pc: number): void {
    const entries = this.coldExits.get(pc);
    if (entries === undefined) return;
    this.coldExits.delete(pc);
    for (const entry of entries) {
      if (entry.region === undefined || entry.rebuilds >= MAX_REBUILDS) continue;
      entry.rebuilds++;
      this.cache.dropRegion(entry);
    }
  }
}

/** One region being written. */
class RegionEmission implements Emitter {
  readonly anyRounding = false;
  readonly maxInstructions: number;
  readonly maxCycles: number;
  usesFloat = false;
  start = Infinity;
  end = 0;
  readonly exits: number[] = [];
  /** Addresses of literals whose values are part of the code. */
  readonly literals: number[] = [];
  private readonly children: number[][];
  private readonly usedRegisters = new Set<number>();
  private readonly changedRegisters = new Set<number>();
  private readonly usedSpecial = new Set<number>();
  private readonly lines: string[] = [];
  /** The instruction being written, and what it and its followers in the node count. */
  private op: DecodedOp | undefined;
  private restInstructions = 0;
  private restCycles = 0;

  constructor(
    private readonly graph: RegionGraph,
    private readonly memory: Memory,
    private readonly unaligned: boolean,
  ) {
    let instructions = 0;
    let cycles = 0;
    this.children = graph.nodes.map(() => []);
    graph.nodes.forEach((node, i) => {
      if (i > 0) this.children[graph.dominators[i] as number]?.push(i);
      for (const op of node.ops) {
        instructions++;
        cycles += op.cycles + op.takenCycles;
        this.usesFloat ||= usesFloat(op.row);
        this.start = Math.min(this.start, op.pc);
        this.end = Math.max(this.end, op.next);
      }
    });
    this.maxInstructions = instructions;
    this.maxCycles = cycles;
  }

  /** Body of a function that evaluates to the region's function. */
  source(): string {
    this.tree(0);
    const registers = [...this.usedRegisters];
    const special = [...this.usedSpecial];
    const changed = [...this.changedRegisters];
    return [
      'return (function (maxInstructions, maxCycles) {',
      'let n = 0, c = 0, pc = 0, t = 0, x = 0, y = 0, u = 0, v = 0.5;',
      ...registers.map((r) => `let r${r} = A[${r}];`),
      ...special.map((s) => `let s${s} = SR[${s}];`),
      'X: {',
      ...this.lines,
      '}',
      ...changed.map((r) => `A[${r}] = r${r};`),
      ...special.map((s) => `SR[${s}] = s${s};`),
      'COUNTS[0] += n; COUNTS[1] += c;',
      'return pc;',
      '});',
    ].join('\n');
  }

  // ---- control flow ----

  private tree(index: number): void {
    const header = this.graph.loopHeaders[index] === 1;
    if (header) this.lines.push(`L${index}: for (;;) {`);
    const merges = (this.children[index] as number[])
      .filter((child) => (this.graph.forwardPredecessors[child] as number) > 1)
      .sort((a, b) => b - a);
    for (const merge of merges) this.lines.push(`B${merge}: {`);
    this.node(index);
    for (const merge of merges.reverse()) {
      this.lines.push('}');
      this.tree(merge);
    }
    if (header) this.lines.push('}');
  }

  private node(index: number): void {
    const node = this.graph.nodes[index] as Node;
    this.restInstructions = node.ops.length;
    this.restCycles = node.ops.reduce((sum, op) => sum + op.cycles, 0);
    if (node.ops.length > 0) this.lines.push(`n += ${this.restInstructions}; c += ${this.restCycles};`);
    for (const op of node.ops) {
      this.op = op;
      const template = TEMPLATES.plain[op.row.name];
      if (template !== undefined) this.lines.push(template(this));
      this.restInstructions--;
      this.restCycles -= op.cycles;
    }
    this.terminator(index, node);
  }

  private terminator(index: number, node: Node): void {
    const { terminator, edges } = node;
    switch (terminator.kind) {
      case 'goto':
        this.fallThrough(index, node, edges[0] as Edge);
        return;
      case 'exit':
        this.leave((edges[0] as Edge).pc);
        return;
      case 'branch': {
        const { op } = terminator;
        this.op = op;
        const condition = (TEMPLATES.branch[op.row.name] as (e: Emitter) => string)(this);
        this.lines.push(`if (${condition}) { c += ${op.takenCycles};`);
        this.goto(index, edges[0] as Edge);
        this.lines.push('}');
        this.fallThrough(index, node, edges[1] as Edge);
        return;
      }
      case 'loop':
        this.hardwareLoop(index, terminator.op, edges);
        return;
      case 'call':
        this.op = terminator.op;
        this.lines.push(`${this.register(0, true)} = ${terminator.op.next | 0};`);
        this.goto(index, edges[0] as Edge);
        return;
      case 'computed':
        this.computed(index, terminator.op, edges);
    }
  }

  /** The sequential successor, or back to LBEG at the end of a hardware loop. */
  private fallThrough(index: number, node: Node, edge: Edge): void {
    const { loopEnd } = node;
    if (loopEnd !== undefined) {
      const [begin, end, count] = [this.sr(SR.LBEG), this.sr(SR.LEND), this.sr(SR.LCOUNT)];
      this.lines.push(`if (${end} === ${loopEnd.end | 0} && ${count} !== 0) { ${count} = (${count} - 1) | 0;`);
      this.lines.push(`if (${begin} === ${loopEnd.back.pc | 0}) {`);
      this.goto(index, loopEnd.back);
      this.lines.push(`} pc = ${begin} >>> 0; break X; }`);
    }
    this.goto(index, edge);
  }

  private hardwareLoop(index: number, op: DecodedOp, edges: readonly Edge[]): void {
    this.op = op;
    const count = this.r(0);
    this.lines.push(
      `${this.sr(SR.LCOUNT)} = (${count} - 1) | 0; ${this.sr(SR.LBEG)} = ${op.next | 0}; ` +
        `${this.sr(SR.LEND)} = ${op.target | 0};`,
    );
    const skips: Readonly<Record<string, string>> = { loopnez: `${count} === 0`, loopgtz: `${count} <= 0` };
    const skip = skips[op.row.name];
    if (skip !== undefined) {
      this.lines.push(`if (${skip}) { c += ${op.takenCycles};`);
      this.goto(index, edges[1] as Edge);
      this.lines.push('}');
    }
    this.goto(index, edges[0] as Edge);
  }

  private computed(index: number, op: DecodedOp, edges: readonly Edge[]): void {
    this.op = op;
    const target = op.row.flow === 'return' ? this.register(0, false) : this.r(0);
    for (const edge of edges) {
      this.lines.push(`if (${target} === ${edge.pc | 0}) {`);
      this.goto(index, edge);
      this.lines.push('}');
    }
    // callx0 reads its target before it writes a0, which may be the same register.
    this.lines.push(`pc = ${target} >>> 0;`);
    if (op.row.name === 'callx0') this.lines.push(`${this.register(0, true)} = ${op.next | 0};`);
    this.lines.push('break X;');
  }

  private goto(from: number, edge: Edge): void {
    const to = edge.node;
    if (to < 0) {
      this.exits.push(edge.pc);
      this.leave(edge.pc);
    } else if (to <= from) {
      this.lines.push(`if (n > maxInstructions || c > maxCycles) { pc = ${edge.pc}; break X; } continue L${to};`);
    } else if ((this.graph.forwardPredecessors[to] as number) > 1) {
      this.lines.push(`break B${to};`);
    } else {
      this.tree(to);
    }
  }

  private leave(pc: number): void {
    this.lines.push(`pc = ${pc}; break X;`);
  }

  // ---- spelling ----

  private register(number: number, changed: boolean): string {
    this.usedRegisters.add(number);
    if (changed) this.changedRegisters.add(number);
    return `r${number}`;
  }

  r(i: number): string {
    return this.register(this.operand(i), false);
  }
  w(i: number): string {
    return this.register(this.operand(i), true);
  }
  n(i: number): string {
    const value = this.operand(i);
    return value < 0 ? `(${value})` : `${value}`;
  }
  private operand(i: number): number {
    return this.op?.instruction.operands[i] as number;
  }
  sr(number: number): string {
    this.usedSpecial.add(number);
    return `s${number}`;
  }
  target(): string {
    return `${(this.op?.target ?? 0) | 0}`;
  }

  /** Leaves before the current instruction, which the interpreter then runs. */
  private bail(): string {
    return `{ pc = ${this.op?.pc}; n -= ${this.restInstructions}; c -= ${this.restCycles}; break X; }`;
  }

  load(bytes: 1 | 2 | 4, address: string, use: (value: string) => string): string {
    if (this.op?.row.name === 'l32r') {
      const literal = this.literal(this.op.target);
      if (literal !== undefined) return use(`${literal}`);
    }
    const set = `t = ${address};`;
    if (bytes === 1) {
      return `${set} if ((x = LOAD_NARROW[t >>> ${PAGE_SHIFT}]) !== 0) y = M8[(t + x) >>> 0]; else ${this.bail()} ${use('y')}`;
    }
    const [table, array, shift] = bytes === 2 ? ['LOAD_NARROW', 'M16', 1] : ['LOAD_WORD', 'M32', 2];
    const fast = `(x = ${table}[t >>> ${PAGE_SHIFT}]) !== 0 && (t & ${bytes - 1}) === 0`;
    const unaligned = this.unaligned
      ? `if ((x = LOAD_NARROW[t >>> ${PAGE_SHIFT}]) !== 0 && (t & ${PAGE_BYTES - 1}) <= ${PAGE_BYTES - bytes}) ` +
        `y = unalignedLoad((t + x) >>> 0, ${bytes}); else `
      : '';
    return `${set} if (${fast}) y = ${array}[(t + x) >>> ${shift}]; else ${unaligned}${this.bail()} ${use('y')}`;
  }

  store(bytes: 1 | 2 | 4, address: string, value: string, after = ''): string {
    const set = `t = ${address};`;
    if (bytes === 1) {
      return `${set} if ((x = STORE_NARROW[t >>> ${PAGE_SHIFT}]) !== 0) M8[(t + x) >>> 0] = ${value}; else ${this.bail()} ${after}`;
    }
    const [table, array, shift] = bytes === 2 ? ['STORE_NARROW', 'M16', 1] : ['STORE_WORD', 'M32', 2];
    const fast = `(x = ${table}[t >>> ${PAGE_SHIFT}]) !== 0 && (t & ${bytes - 1}) === 0`;
    const unaligned = this.unaligned
      ? `if ((x = STORE_NARROW[t >>> ${PAGE_SHIFT}]) !== 0 && (t & ${PAGE_BYTES - 1}) <= ${PAGE_BYTES - bytes}) ` +
        `unalignedStore((t + x) >>> 0, ${value}, ${bytes}); else `
      : '';
    return `${set} if (${fast}) ${array}[(t + x) >>> ${shift}] = ${value}; else ${unaligned}${this.bail()} ${after}`;
  }

  raiseIf(condition: string): string {
    return `if (${condition}) ${this.bail()}`;
  }

  /**
   * The word an L32R reads, folded into the code: literals lie beside code and are guarded like it. A store to one
   * throws the region away.
   */
  private literal(address: number): number | undefined {
    const delta = this.memory.loadWord[address >>> PAGE_SHIFT] as number;
    if (delta === 0 || Math.abs(address - (this.op?.pc ?? 0)) > 0x40000) return undefined;
    this.start = Math.min(this.start, address);
    this.end = Math.max(this.end, address + 4);
    this.literals.push(address);
    return this.memory.words[(address + delta) >>> 2] as number;
  }
}
