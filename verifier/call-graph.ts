// What functions may rely on from each other, from the machine code of all of them: which registers a callee leaves alone, how
// much stack below a function's frame all its callers have checked. Knows instructions by their rows only.
import type { DecodedInstruction } from '../backend-xtensa/isa/types.js';
import { decodeAll, targetOf, type Code } from './code.js';
import type { Image, ModuleFunction } from './image.js';

/** Registers that any callee may change; a0 is the call's own, a12 to a15 come back. */
export const ALL_CLOBBERED = 0b1111_1111_1100;

/** What the linker puts between functions out of each other's reach jumps through a8. */
const VENEER_CLOBBERED = 1 << 8;
/** Registers a2 to a11 that an instruction writes, as bits. */
function writtenBy({ row, operands }: DecodedInstruction): number {
  let bits = 0;
  for (let k = 0; k < row.operands.length; k++) {
    const { kind, role } = row.operands[k]!;
    if (kind === 'ar' && role !== 'use') bits |= 1 << operands[k]!;
  }
  return bits & ALL_CLOBBERED;
}

const LEADS_ELSEWHERE: ReadonlySet<string> = new Set(['call', 'callreg', 'jumpreg']);

interface Node {
  readonly func: ModuleFunction;
  readonly callees: Node[];
  /** Registers that the function or what it calls may change, as bits. */
  clobbers: number;
  /** Called from outside, through a reference, or part of a cycle: nobody checks the stack for it. */
  isAlone: boolean;
  /** Bytes below its entry SP that it was verified with; -1 before. */
  covered: number;
  /** The least that a call has left, and where. */
  least: { readonly bytes: number; readonly from: ModuleFunction; readonly address: number } | null;
  number: number;
  low: number;
  onStack: boolean;
}

export class CallGraph {
  /** Callers before callees, as far as there are no cycles. */
  readonly order: readonly ModuleFunction[];
  private readonly nodes = new Map<ModuleFunction, Node>();
  /** Clobbers of runtime functions, by address. */
  private readonly runtime = new Map<number, number>();

  /** @param codes of all functions that can be decoded */
  constructor(
    private readonly image: Image,
    codes: ReadonlyMap<ModuleFunction, Code>,
  ) {
    const referenced = image.referenceWords();
    for (const func of image.functions.values())
      this.nodes.set(func, {
        func,
        callees: [],
        clobbers: codes.has(func) ? 0 : ALL_CLOBBERED,
        isAlone: image.isEntry(func) || referenced.has(func.start - 4),
        covered: -1,
        least: null,
        number: 0,
        low: 0,
        onStack: false,
      });
    for (const code of codes.values()) this.connect(this.nodes.get(code.func)!, code);
    this.order = this.sort();
    this.spreadClobbers();
  }

  /** Bits of the registers a2 to a11 that a call to an address may change. */
  clobbers(caller: ModuleFunction, address: number): number {
    const target = this.image.callTarget(caller.module, address);
    if (target?.kind === 'libcall') return this.runtimeClobbers(target.address, address);
    if (target?.kind !== 'module' || target.func.module !== caller.module) return ALL_CLOBBERED;
    return this.nodes.get(target.func)!.clobbers | (address === target.func.start ? 0 : VENEER_CLOBBERED);
  }

  /** The same of a runtime function: what its code writes, if it does not lead elsewhere. */
  private runtimeClobbers(start: number, called: number): number {
    let clobbers = this.runtime.get(start);
    if (clobbers === undefined) {
      const code = decodeAll(this.image, start, this.image.functionSize(start));
      clobbers = 0;
      for (const inst of code ?? []) clobbers |= writtenBy(inst);
      if (code === null || code.some(({ row }) => LEADS_ELSEWHERE.has(row.flow))) clobbers = ALL_CLOBBERED;
      this.runtime.set(start, clobbers);
    }
    return clobbers | (called === start ? 0 : VENEER_CLOBBERED);
  }

  /** To be asked once all callers have been looked at: bytes below the entry SP that are known to be above the limit. */
  covered(func: ModuleFunction): number {
    const node = this.nodes.get(func)!;
    // What nobody calls does not run.
    node.covered = node.isAlone ? 0 : (node.least?.bytes ?? Number.MAX_SAFE_INTEGER);
    return node.covered;
  }

  /** A call or tail call, with `bytes` below the SP at that moment known to be above the limit. */
  noteCall(from: ModuleFunction, address: number, callee: ModuleFunction, bytes: number): void {
    const node = this.nodes.get(callee)!;
    if (node.least === null || bytes < node.least.bytes) node.least = { bytes, from, address };
  }

  /** True if the function was verified as one that runs without a check by its callers. */
  isAlone(func: ModuleFunction): boolean {
    return this.nodes.get(func)!.isAlone;
  }
  /** True if callers reckon with the function changing any register. */
  clobbersAll(func: ModuleFunction): boolean {
    return this.nodes.get(func)!.clobbers === ALL_CLOBBERED;
  }

  /** Calls that leave less stack than their callee was verified with. */
  *shortCalls(): IterableIterator<{ from: ModuleFunction; address: number; callee: ModuleFunction }> {
    for (const { func, least, covered } of this.nodes.values())
      if (least !== null && covered > least.bytes) yield { from: least.from, address: least.address, callee: func };
  }

  private connect(node: Node, code: Code): void {
    const { func } = node;
    const end = func.start + func.size;
    for (let i = 0; i < code.instructions.length; i++) {
      const inst = code.instructions[i]!;
      const { row } = inst;
      node.clobbers |= writtenBy(inst);
      const site = code.windows.get(i);
      if (site !== undefined) node.clobbers |= (1 << site.pointer) & ALL_CLOBBERED;
      if (row.flow === 'callreg') node.clobbers = ALL_CLOBBERED;
      // A jump through a register is a return, or a jump table if there is one; else a tail call.
      else if (row.flow === 'jumpreg' && inst.operands[0] !== 0 && !code.hasJumpTable) node.clobbers = ALL_CLOBBERED;
      else if (row.flow === 'call' || row.flow === 'jump') {
        const target = targetOf(inst, code.addresses[i]! >>> 0);
        const isInside = target >= func.start && target < end && row.flow === 'jump';
        if (isInside && target !== func.start) continue;
        const callee = this.image.callTarget(func.module, target);
        if (callee?.kind === 'module' && callee.func.module === func.module) {
          node.callees.push(this.nodes.get(callee.func)!);
          if (target !== callee.func.start) node.clobbers |= VENEER_CLOBBERED;
        } else if (callee?.kind === 'libcall') node.clobbers |= this.runtimeClobbers(callee.address, target);
        else node.clobbers = ALL_CLOBBERED;
      }
    }
  }

  /** Tarjan's algorithm; components are complete callees first. */
  private sort(): ModuleFunction[] {
    const done: ModuleFunction[] = [];
    const stack: Node[] = [];
    const path: { readonly node: Node; next: number }[] = [];
    let count = 0;
    const enter = (node: Node): void => {
      node.number = node.low = ++count;
      node.onStack = true;
      stack.push(node);
      path.push({ node, next: 0 });
    };
    const leave = (root: Node): void => {
      const from = stack.lastIndexOf(root);
      const component = stack.splice(from);
      for (const node of component) {
        node.onStack = false;
        if (component.length > 1 || node.callees.includes(node)) node.isAlone = true;
        done.push(node.func);
      }
    };
    for (const root of this.nodes.values()) {
      if (root.number === 0) enter(root);
      while (path.length > 0) {
        const top = path[path.length - 1]!;
        const { node } = top;
        const callee = node.callees[top.next++];
        if (callee === undefined) {
          path.pop();
          if (node.low === node.number) leave(node);
          const caller = path[path.length - 1]?.node;
          if (caller !== undefined) caller.low = Math.min(caller.low, node.low);
        } else if (callee.number === 0) enter(callee);
        else if (callee.onStack) node.low = Math.min(node.low, callee.number);
      }
    }
    return done.reverse();
  }

  private spreadClobbers(): void {
    const calleesFirst = [...this.order].reverse().map((func) => this.nodes.get(func)!);
    for (let changed = true; changed;) {
      changed = false;
      for (const node of calleesFirst) {
        let { clobbers } = node;
        for (const callee of node.callees) clobbers |= callee.clobbers;
        if (clobbers !== node.clobbers) changed = true;
        node.clobbers = clobbers;
      }
    }
  }
}
