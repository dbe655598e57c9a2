// Requests of other modules' threads to this one: runs the handler, holds its answer against the contract, counts. Takes
// what is in the shared memory; knows no instance and no route.
import { ResponseCode } from '../../compiler/abi/os-layout.js';
import { breachOf } from '../imc/answers.js';
import type { Outcome } from './module-runtime.js';
import type { Answer, Fault, Invocation, ServedBinding, WorkerData } from './protocol.js';
import { areaOf, ControlWord, Exchange, Lock, ring, STAT_TIMES, StatWord } from './shared.js';

export interface DirectServerContext {
  now(): number;
  run(invocation: Invocation): Outcome;
  faulted(fault: Fault): void;
  freed(module: string): void;
}

const US_PER_MS = 1000;

export class DirectServer {
  private readonly words: Int32Array;
  private readonly stats: Int32Array;
  private readonly payload: Uint8Array;
  private readonly answer: Uint8Array;
  private readonly bindings = new Map<number, { readonly binding: ServedBinding; readonly caller: Int32Array }>();
  /** What runs: its time is looked after here. */
  private open: { id: number; since: number; waited: number; budget: number } | null = null;

  constructor(
    private readonly data: WorkerData,
    private readonly context: DirectServerContext,
  ) {
    this.words = new Int32Array(data.control);
    this.stats = new Int32Array(data.stats);
    this.payload = areaOf(this.words, 0);
    this.answer = areaOf(this.words, 1);
  }

  get chain(): number {
    return this.words[ControlWord.Chain]!;
  }

  isAsked(): boolean {
    return (
      Atomics.load(this.words, ControlWord.Exchange) === Exchange.Posted &&
      Atomics.load(this.words, ControlWord.Lock) === Lock.Direct
    );
  }

  bind(id: number, binding: ServedBinding): void {
    this.bindings.set(id, { binding, caller: new Int32Array(binding.callerControl) });
  }

  /** @param waitedMs that the thread has spent waiting for others: no time of its own */
  isExpired(invocation: number, waitedMs: number): boolean {
    const { open } = this;
    if (open?.id !== invocation) return false;
    return this.context.now() - open.since - (waitedMs - open.waited) > open.budget;
  }

  /** Runs the request that is there. */
  serve(waitedMs: number): void {
    const { words, context } = this;
    const { binding, caller } = this.bindings.get(words[ControlWord.Binding]!)!;
    const { entry, uri, parameters, deadlineUs } = binding;
    Atomics.store(words, ControlWord.Exchange, Exchange.Running);
    const since = context.now();
    const capacity = words[ControlWord.Capacity]!;
    const payload = this.payload.slice(0, words[ControlWord.Bytes]!);
    const id = Atomics.add(words, ControlWord.Invocation, 1);
    this.open = { id, since, waited: waitedMs, budget: Math.max(this.data.slackMs, deadlineUs / US_PER_MS) };
    const { answer, fault } = context.run({
      id,
      chain: words[ControlWord.Chain]!,
      depth: words[ControlWord.Depth]!,
      entry,
      request: { uri, parameters, caller: binding.caller, payload, capacity },
      args: [],
      delivery: null,
      deadline: since + deadlineUs / US_PER_MS,
      deadlineUs,
    });
    this.open = null;
    this.count((context.now() - since) * US_PER_MS);
    this.finish(caller, binding, answer, fault);
  }

  private finish(
    caller: Int32Array,
    { path, response }: ServedBinding,
    answer: Answer | null,
    outcome: Fault | null,
  ): void {
    const { words } = this;
    let fault = outcome;
    if (answer !== null) {
      const breach = breachOf(answer.code, answer.payload, response);
      if (breach !== null) fault = { reason: 'contract broken', message: `/${path}: ${breach}`, backtrace: [] };
    }
    if (fault !== null) {
      const isLate = fault.reason === 'deadline expired';
      words[ControlWord.Code] = isLate ? ResponseCode.GatewayTimeout : ResponseCode.InternalServerError;
      Atomics.store(words, ControlWord.Exchange, Exchange.Failed);
      // If the lock is closed the host knows of a fault already.
      if (Atomics.load(words, ControlWord.Lock) === Lock.Direct) this.context.faulted(fault);
      return;
    }
    const { code, payload } = answer!;
    this.answer.set(payload);
    words[ControlWord.Code] = code;
    words[ControlWord.Bytes] = payload.length;
    Atomics.store(words, ControlWord.Exchange, Exchange.Done);
    if (Atomics.load(words, ControlWord.Orphan) === 1) this.freeOrphan();
    ring(caller);
  }

  /** Who called is gone: nobody else gives the lock back. */
  private freeOrphan(): void {
    if (Atomics.compareExchange(this.words, ControlWord.Lock, Lock.Direct, Lock.Free) !== Lock.Direct) return;
    if (Atomics.exchange(this.words, ControlWord.HostWaits, 0) === 1) this.context.freed(this.data.name);
  }

  private count(microseconds: number): void {
    const calls = Atomics.add(this.stats, StatWord.Calls, 1);
    this.stats[StatWord.Times + (calls % STAT_TIMES)] = Math.round(microseconds);
  }
}
