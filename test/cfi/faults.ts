// Injects control-flow faults into running compiled code: saved return addresses, their shadow copies, table entries and function
// references get wrong values, and nothing at the wrong place may execute. Takes a mode, gives counts.
import type { CompileOptions } from '../../backend-xtensa/compile-module.js';
import { Op } from '../../backend-xtensa/isa/table.js';
import { signatureId } from '../../compiler/abi/signature-id.js';
import { TrapCode } from '../../compiler/abi/traps.js';
import { DeviceFault, type Ending } from '../../cli/device.js';
import { LinkerSymbol } from '../../compiler/abi/linker-symbols.js';
import { decodeFunction, type Code } from '../../verifier/code.js';
import type { ModuleFunction } from '../../verifier/image.js';
import { CanaryDevice, endingText } from '../sandbox/canary-device.js';
import { FAULT_PROGRAM, COST_PROGRAMS, type FaultCall } from './programs.js';

export interface FaultKind {
  readonly kind: string;
  injected: number;
  caught: number;
}
export interface FaultCounts {
  readonly kinds: readonly FaultKind[];
  readonly missed: string[];
}

export const totalOf = ({ kinds }: FaultCounts): { injected: number; caught: number } =>
  kinds.reduce((sum, k) => ({ injected: sum.injected + k.injected, caught: sum.caught + k.caught }), {
    injected: 0,
    caught: 0,
  });

/** A moment in a run: so many instructions after its start, with SP there. */
interface Moment {
  readonly at: number;
  readonly sp: number;
  readonly func: ModuleFunction;
  readonly returnAddress: number;
}

const RETURN_CORRUPTED = 'return address corrupted';
/** How a call through a wrong reference may end: each before the first instruction at the wrong place. */
const LOAD_REFUSED = 'the load of the signature faults';
const REFERENCE_CAUGHT = new Set([
  LOAD_REFUSED,
  'indirect call type mismatch',
  'uninitialized element',
  'undefined element',
]);

class FaultRunner {
  private readonly device: CanaryDevice;
  /** Instruction after the one that stores the return address (and its copy, in full mode), by function. */
  private readonly savedAt = new Map<number, ModuleFunction>();
  /** Addresses of instructions of the module through which control leaves for an address in a register. */
  private readonly exits = new Set<number>();
  /** Loads that read a word behind a reference. */
  private readonly signatureLoads = new Set<number>();
  private readonly kinds = new Map<string, FaultKind>();
  readonly missed: string[] = [];

  constructor(private readonly compile: CompileOptions) {
    this.device = new CanaryDevice(FAULT_PROGRAM.text, compile);
    for (const func of this.device.image.functions.values()) {
      const code = decodeFunction(this.device.image, func);
      if (!Array.isArray(code)) this.scan(func, code as Code);
    }
  }

  private scan(func: ModuleFunction, code: Code): void {
    let last = -1;
    code.instructions.forEach(({ opcode, operands, row }, i) => {
      if (row.flow === 'return' || row.flow === 'jumpreg' || row.flow === 'callreg')
        this.exits.add(code.addresses[i]! >>> 0);
      // The site table says which loads read signatures: they trap on a null reference.
      const trap = func.module.traps.get(code.addresses[i]! >>> 0);
      if (trap === TrapCode.UninitializedElement && row.access?.kind === 'load')
        this.signatureLoads.add(code.addresses[i]! >>> 0);
      const stores = opcode === Op.S32I || opcode === Op.S32I_N;
      if (stores && operands[0] === 0) last = i;
    });
    if (last >= 0) this.savedAt.set(code.addresses[last + 1]! >>> 0, func);
  }

  run(): FaultCounts {
    for (const call of FAULT_PROGRAM.calls) {
      const moments = this.record(call);
      for (const moment of moments) this.corruptReturn(call, moment);
    }
    this.corruptTable();
    return { kinds: [...this.kinds.values()], missed: this.missed };
  }

  /** One undisturbed run: when each function has saved its return address. Each call instruction counts once. */
  private record(call: FaultCall): Moment[] {
    const { machine } = this.device.device;
    const moments = new Map<number, Moment>();
    const start = machine.instructions;
    let returnAddress = 0;
    machine.setTrace((op) => {
      const func = this.savedAt.get(op.pc);
      if (this.device.image.functions.has(op.pc)) returnAddress = machine.getRegister(0) >>> 0;
      if (func === undefined) return;
      const sp = machine.getRegister(1) >>> 0;
      if (!moments.has(returnAddress))
        moments.set(returnAddress, { at: machine.instructions - start, sp, func, returnAddress });
    });
    const ending = endingText(this.device.call(call.name, ...call.args).ending);
    machine.setTrace(undefined);
    if (ending !== 'returned') throw new Error(`${call.name} ended with ${ending} without any fault`);
    return [...moments.values()];
  }

  /** Runs a call with a fault injected after so many instructions; true if the wrong place was executed. */
  private runWith(
    call: FaultCall,
    at: number,
    wrong: number,
    inject: () => void,
  ): { ending: string; reached: boolean } {
    const { machine } = this.device.device;
    let reached = false;
    let before = 0;
    let done = false;
    machine.injectAt(machine.instructions + at, () => {
      inject();
      done = true;
    });
    machine.setTrace((op) => {
      if (done && op.pc === wrong && this.exits.has(before)) reached = true;
      before = op.pc;
    });
    let ending: string;
    try {
      ending = this.endingOf(this.device.call(call.name, ...call.args).ending);
    } catch (error) {
      if (!(error instanceof DeviceFault)) throw error;
      ending = error.message;
    } finally {
      machine.setTrace(undefined);
    }
    if (!done) throw new Error('the fault was not injected');
    return { ending, reached };
  }

  /** A machine exception counts by where it was: at a load of the module's own checks, or at the wrong place. */
  private endingOf(ending: Ending): string {
    const text = endingText(ending);
    if (text !== 'machine exception' || ending.kind !== 'trapped') return text;
    return this.signatureLoads.has(ending.pc) ? LOAD_REFUSED : `${text} at 0x${ending.pc.toString(16)}`;
  }

  private corruptReturn(call: FaultCall, moment: Moment): void {
    const { machine } = this.device.device;
    const places: [string, number][] = [['saved return address', moment.sp]];
    const { shadow } = this.device.image;
    if (shadow !== null && this.compile.cfi === 'full')
      places.push(['copy in the shadow stack', (moment.sp + shadow) >>> 0]);
    for (const [kind, place] of places) {
      for (const [what, wrong] of this.wrongAddresses(moment)) {
        const { ending, reached } = this.runWith(call, moment.at, wrong, () => machine.writeWord(place, wrong));
        this.judge(
          kind,
          ending === RETURN_CORRUPTED && !reached,
          `${moment.func.name} returns to ${what} 0x${wrong.toString(16)}: ${ending}`,
        );
      }
    }
  }

  /** Wrong code addresses of every kind. */
  private wrongAddresses({ func, returnAddress, sp }: Moment): [string, number][] {
    const { linked, image } = this.device;
    const symbol = (name: string): number => linked.symbols.get(name)!.address;
    const other = [...image.functions.values()].find((f) => f !== func && f.module === func.module)!;
    const list: [string, number][] = [
      ['the middle of a function', other.start + 3],
      ['the entry of another function', other.start],
      ['its own entry', func.start],
      ['one instruction further', returnAddress + 3],
      ['an unaligned address', returnAddress + 1],
      ['null', 0],
      ['unmapped memory', 0x20000000],
      ['linear memory', image.objects.find((o) => o.kind === 'memory-bytes')!.start],
      ['the stack', sp + 16],
      ['the runtime', symbol('rt_unwind_target')],
      ['a runtime function modules may call', symbol('rt_i64_div_u')],
      ['the exception vectors', symbol('rt_vectors')],
    ];
    return list.filter(([, address]) => address !== returnAddress);
  }

  /** Table entries and a reference in a global, each with wrong values, through every indirect call. */
  private corruptTable(): void {
    const { image, linked } = this.device;
    const { machine } = this.device.device;
    const table = image.objects.find((o) => o.kind === 'table-entries' && o.module === 'app')!;
    const global = image.objects.find((o) => o.kind === 'global' && o.module === 'app' && this.isReference(o.start))!;
    const app = [...image.functions.values()].filter((f) => f.module.name === 'app');
    const wrongs: [string, number][] = [
      ['null', 0],
      ['a function of another signature', linkedEntry(linked.symbols, 'app.other') - 4],
      ['code, not a descriptor', app[0]!.start],
      ['the middle of a function', app.find(({ size }) => size >= 16)!.start + 8],
      ['an unaligned address', this.goodReference() + 1],
      ['unmapped memory', 0x20000000],
      ['linear memory', image.objects.find((o) => o.kind === 'memory-bytes' && o.module === 'app')!.start + 64],
      ['the stack', linked.symbols.get(LinkerSymbol.WasmStackTop)!.address - 64],
      ['the runtime', linkedEntry(linked.symbols, 'rt_invoke') - 4],
      ['the exception vectors', linkedEntry(linked.symbols, 'rt_vectors')],
      ...this.signatureLiterals().map((address): [string, number] => ['a literal that equals the signature', address]),
    ];
    for (const { name, args, through } of FAULT_PROGRAM.indirect) {
      const place = through === 'global' ? global.start : table.start + 4 * FAULT_PROGRAM.entry;
      for (const [what, wrong] of wrongs) {
        const good = machine.readWord(place);
        const { ending, reached } = this.runWith({ name, args }, 0, (wrong + 4) >>> 0, () =>
          machine.writeWord(place, wrong),
        );
        machine.writeWord(place, good);
        if (through === 'global') machine.writeWord(table.start + 4 * FAULT_PROGRAM.entry, this.goodReference());
        const kind = through === 'global' ? 'function reference in a global' : 'table entry';
        this.judge(
          kind,
          REFERENCE_CAUGHT.has(ending) && !reached,
          `${name} through ${what} 0x${wrong.toString(16)}: ${ending}`,
        );
      }
    }
  }

  private goodReference(): number {
    return linkedEntry(this.device.linked.symbols, FAULT_PROGRAM.good) - 4;
  }
  private isReference(address: number): boolean {
    return this.device.device.word(address) >>> 0 === this.goodReference();
  }

  /** Words in the module's code that equal the signature that the calls expect, but are no descriptors. */
  private signatureLiterals(): number[] {
    const { image } = this.device;
    const id = signatureId(FAULT_PROGRAM.signature) >>> 0;
    const found: number[] = [];
    for (const { poolStart, start } of image.functions.values())
      for (let address = poolStart; address < start; address += 4)
        if (image.word(address) === id && !image.functions.has(address + 4)) found.push(address);
    return found;
  }

  private judge(kind: string, isCaught: boolean, what: string): void {
    let count = this.kinds.get(kind);
    if (count === undefined) this.kinds.set(kind, (count = { kind, injected: 0, caught: 0 }));
    count.injected++;
    if (isCaught) count.caught++;
    else this.missed.push(`${kind}: ${what}`);
  }
}

const linkedEntry = (symbols: ReadonlyMap<string, { readonly address: number }>, name: string): number =>
  symbols.get(name)!.address;

/** Faults against code compiled with `--cfi full`. */
export function runFaults(level: '0' | '2' = '2'): FaultCounts {
  return new FaultRunner({ cfi: 'full', level }).run();
}

export interface Cost {
  readonly program: string;
  readonly none: number;
  readonly forward: number;
  readonly full: number;
}

/** Instructions of some programs in each mode. */
export function costs(): Cost[] {
  return COST_PROGRAMS.map(({ name, text, call }) => {
    const run = (cfi: 'none' | 'forward' | 'full'): number => {
      const { ending, instructions } = new CanaryDevice(text, { cfi, level: '2' }).call(call.name, ...call.args);
      if (ending.kind !== 'returned') throw new Error(`${name} ended with ${endingText(ending)}`);
      return instructions;
    };
    return { program: name, none: run('none'), forward: run('forward'), full: run('full') };
  });
}
