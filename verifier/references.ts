// Proves that what reaches an indirect call is a function descriptor or null: collects where references come from over all
// functions, then asks of every place that feeds a call whether it can hold anything else. Knows no instructions.
import type { Violation } from './code.js';
import { textOf } from './code.js';
import type { Image, MemoryObject, ModuleFunction } from './image.js';
import { CONSTANT, constantOrigin, type Origin, type Value } from './facts.js';
import type { Walk } from './walk.js';

/** What may be put into one place. */
interface Inflow {
  readonly origins: Set<Origin>;
  /** Somebody puts a value there that need not be a reference. */
  bad: Violation | null;
}

/** Origins of a value that goes to a place; `bad`: it need not be a reference. */
interface Note {
  readonly place: Origin;
  readonly origins: readonly Origin[];
  readonly bad: Violation | null;
}

/** Callee of a call, as part of a place's name: a function's address, a signature, or the host. */
export type Callee = string;
export const functionCallee = (func: ModuleFunction): Callee => `f${func.start}`;
export const signatureCallee = (id: number): Callee => `s${id >>> 0}`;
export const HOST: Callee = 'host';

/** All registers that a call may pass or give back something in: functions that nobody else sees need no convention. */
export const PASSED_WORDS = 10;
const FIRST_WORD = 2;

export class ReferenceFlow {
  private readonly inflows = new Map<Origin, Inflow>();
  /** Places that must hold references only, with the place that asks. */
  private readonly demands = new Map<Origin, { readonly func: ModuleFunction; readonly violation: Violation }>();
  /** Addresses of words that code loads as literals: no signature words. */
  private readonly literals = new Set<number>();
  /** What was collected of the function being looked at. */
  private readonly journal: Note[] = [];
  /** Addresses of functions that some reference in use may lead to. */
  readonly reached = new Set<number>();

  constructor(private readonly image: Image) {}

  noteLiteral(address: number): void {
    this.literals.add(address);
  }

  private put(place: Origin, origins: readonly Origin[] | null, walk: Walk, reason: string): void {
    const bad = origins === null ? { address: walk.address, instruction: textOf(walk.code, walk.index), reason } : null;
    this.journal.push({ place, origins: origins ?? [], bad });
  }

  /** Takes over what was collected of a function. */
  commit(): void {
    for (const { place, origins, bad } of this.journal) {
      let inflow = this.inflows.get(place);
      if (inflow === undefined) this.inflows.set(place, (inflow = { origins: new Set(), bad: null }));
      for (const origin of origins) inflow.origins.add(origin);
      inflow.bad ??= bad;
    }
    this.discard();
  }
  /** Forgets it: the function is looked at once more. */
  discard(): void {
    this.journal.length = 0;
  }

  private originsOf(walk: Walk, value: Value | null): readonly Origin[] | null {
    if (value === null) return null;
    if (value.symbol === CONSTANT) return constantOrigin(value.offset);
    return value.offset === 0 ? walk.state.fact(value.symbol).origins : null;
  }

  storeEntry(walk: Walk, table: MemoryObject, value: Value | null): void {
    if (!walk.checking) return;
    this.put(
      `table ${table.id}`,
      this.originsOf(walk, value),
      walk,
      `what is stored in ${table.name} need not be a reference`,
    );
  }
  storeGlobal(walk: Walk, global: MemoryObject, at: number, value: Value | null): void {
    if (!walk.checking) return;
    this.put(
      `global ${global.id}+${at}`,
      this.originsOf(walk, value),
      walk,
      `what is stored in ${global.name} need not be a reference`,
    );
  }
  /** Argument registers at a call or tail call. */
  arguments(walk: Walk, callee: Callee): void {
    if (!walk.checking || callee === HOST) return;
    for (let k = 0; k < PASSED_WORDS; k++)
      this.put(
        `param ${callee} ${k}`,
        this.originsOf(walk, walk.get(FIRST_WORD + k)),
        walk,
        `argument ${k} need not be a reference`,
      );
  }
  /** Result registers at a return. */
  results(walk: Walk): void {
    if (!walk.checking) return;
    const callee = functionCallee(walk.code.func);
    for (let k = 0; k < PASSED_WORDS; k++)
      this.put(
        `result ${callee} ${k}`,
        this.originsOf(walk, walk.get(FIRST_WORD + k)),
        walk,
        `result ${k} need not be a reference`,
      );
  }
  /** A tail call gives the callee's results on. */
  passResults(walk: Walk, callee: Callee): void {
    if (!walk.checking) return;
    const own = functionCallee(walk.code.func);
    for (let k = 0; k < PASSED_WORDS; k++) this.put(`result ${own} ${k}`, [`result ${callee} ${k}`], walk, '');
  }
  /** The runtime puts the word, or what `from` holds, into a table. */
  fillTable(walk: Walk, table: MemoryObject, value: Value | null, from: Origin | null): void {
    if (!walk.checking) return;
    const origins = from === null ? this.originsOf(walk, value) : [from];
    this.put(`table ${table.id}`, origins, walk, `what is put in ${table.name} need not be a reference`);
  }
  /** The word is used as a reference: its signature is read. */
  demand(walk: Walk, value: Value): void {
    if (!walk.checking) return;
    const violation = { address: walk.address, instruction: textOf(walk.code, walk.index), reason: '' };
    for (const origin of this.originsOf(walk, value) ?? [])
      if (!this.demands.has(origin)) this.demands.set(origin, { func: walk.code.func, violation });
  }

  /** Judges all demands; a violation is reported for the function that makes the call. */
  solve(): Map<ModuleFunction, Violation[]> {
    this.linkSignatures();
    const found = new Map<ModuleFunction, Violation[]>();
    const seen = new Set<Origin>();
    for (const [start, { func, violation }] of this.demands) {
      const pending = [start];
      while (pending.length > 0) {
        const origin = pending.pop()!;
        if (seen.has(origin)) continue;
        seen.add(origin);
        const inflow = this.inflows.get(origin);
        const reason = this.fault(origin) ?? this.badInflow(inflow);
        if (reason !== null) {
          const list = found.get(func) ?? [];
          list.push({ ...violation, reason: `may use something that is no function reference: ${reason}` });
          found.set(func, list);
        }
        if (inflow !== undefined) pending.push(...inflow.origins);
      }
    }
    return found;
  }

  private badInflow(inflow: Inflow | undefined): string | null {
    if (inflow === undefined || inflow.bad === null) return null;
    const { reason, address, instruction } = inflow.bad;
    return `${reason} (at 0x${address.toString(16)}: ${instruction})`;
  }

  /** Parameters and results of a signature are those of all functions that have it. */
  private linkSignatures(): void {
    for (const func of this.image.functions.values()) {
      const id = this.signatureOf(func.start - 4);
      if (id === null) continue;
      const own = functionCallee(func);
      for (let k = 0; k < PASSED_WORDS; k++) this.connect(`param ${own} ${k}`, `param ${signatureCallee(id)} ${k}`);
      for (let k = 0; k < PASSED_WORDS; k++) this.connect(`result ${signatureCallee(id)} ${k}`, `result ${own} ${k}`);
    }
  }
  private connect(place: Origin, origin: Origin): void {
    const inflow = this.inflows.get(place);
    if (inflow === undefined) this.inflows.set(place, { origins: new Set([origin]), bad: null });
    else inflow.origins.add(origin);
  }

  /** The signature word at a descriptor's address; null if there is no descriptor there. */
  private signatureOf(address: number): number | null {
    const func = this.image.functions.get(address + 4);
    if (func === undefined || address < func.poolStart || this.literals.has(address)) return null;
    return this.image.word(address);
  }

  /** Null or a descriptor, whose function is noted as one that references lead to. */
  private isReference(address: number): boolean {
    if (address === 0) return true;
    if (this.signatureOf(address) === null) return false;
    this.reached.add(address + 4);
    return true;
  }

  /** What is wrong with a place by itself: a constant that is no descriptor, contents from the file that are none. */
  private fault(origin: Origin): string | null {
    const [kind, first, second] = origin.split(' ') as [string, string, string | undefined];
    if (kind === 'constant') {
      const address = Number(first);
      return this.isReference(address) ? null : `0x${address.toString(16)} is no function descriptor`;
    }
    if (kind === 'segment') return this.badEntries(Number(first));
    if (kind === 'global') return this.badGlobal(first);
    if (kind === 'param' && first.startsWith('f')) return this.badExport(Number(first.slice(1)), Number(second));
    return null;
  }
  private badEntries(start: number): string | null {
    const data = this.image.word(start) ?? 0;
    const count = this.image.word(start + 4) ?? 0;
    for (let i = 0; i < count; i++) {
      const address = this.image.word(data + 4 * i);
      if (address === null || !this.isReference(address))
        return `entry ${i} of an element segment is no function descriptor`;
    }
    return null;
  }
  private badGlobal(place: string): string | null {
    const [id, at] = place.split('+').map(Number) as [number, number];
    const object = this.image.objects[id]!;
    const word = this.image.word(object.start + at);
    return word !== null && this.isReference(word) ? null : `the initial value of ${object.name} is no reference`;
  }
  /** The host passes what the export's signature says. */
  private badExport(start: number, word: number): string | null {
    for (const text of this.image.functions.get(start)?.exportedAs ?? []) {
      const letters = [...text.slice(0, text.indexOf(':'))].map((c) => (c === 'I' || c === 'F' ? c + c : c)).join('');
      if (letters[word] !== 'r') return `parameter word ${word} of an exported function is no reference`;
    }
    return null;
  }
}
