// Requests from this thread straight to another module's, by shared memory: checks what the contract says of the request,
// takes the module's lock, rings, waits. What does not go this way (the module is busy or elsewhere, rates, large payloads)
// is left to the host. Knows no instance.
import { CALL_DEPTH, ResponseCode } from '../../compiler/abi/os-layout.js';
import { checkPayload } from '../imc/payload.js';
import type { Answer, CalledBinding, ModuleRequest, WorkerData } from './protocol.js';
import { AREA_BYTES, areaOf, ControlWord, Exchange, Lock, ring } from './shared.js';

export interface DirectCallsContext {
  bind(target: ModuleRequest['target']): CalledBinding | null;
  /** Returns when `done` does; it is asked again when something has happened. */
  wait(done: () => boolean): void;
  freed(module: string): void;
}

interface Bound extends CalledBinding {
  readonly words: Int32Array;
  readonly payload: Uint8Array;
  readonly answer: Uint8Array;
}

/** Targets that are remembered. */
const MAX_BOUND = 256;
const EMPTY = new Uint8Array(0);
const bare = (code: number): Answer => ({ code, payload: EMPTY });

export class DirectCalls {
  private readonly bound = new Map<string, Bound | null>();
  private readonly epochWord: Int32Array;
  private readonly index: number;
  private epoch = -1;

  constructor(
    data: WorkerData,
    private readonly context: DirectCallsContext,
  ) {
    this.epochWord = new Int32Array(data.epoch);
    this.index = data.index;
  }

  /** Null: the host has to do it. */
  request({ target, payload, capacity, depth, chain, deadlineUs }: ModuleRequest): Answer | null {
    const to = this.find(target);
    if (to === null || payload.length > AREA_BYTES) return null;
    const refused = checkPayload(payload, to.request);
    if (refused !== null) return bare(refused);
    if (capacity < to.leastCapacity) return bare(ResponseCode.RequestEntityTooLarge);
    const { words } = to;
    if (Atomics.compareExchange(words, ControlWord.Lock, Lock.Free, Lock.Direct) !== Lock.Free) return null;
    const tooDeep = depth + 1 >= CALL_DEPTH;
    if (tooDeep || to.deadlineUs >= deadlineUs) {
      this.free(to);
      return bare(tooDeep ? ResponseCode.ServiceUnavailable : ResponseCode.GatewayTimeout);
    }
    to.payload.set(payload);
    words[ControlWord.Binding] = to.id;
    words[ControlWord.Chain] = chain;
    words[ControlWord.Depth] = depth + 1;
    words[ControlWord.Bytes] = payload.length;
    words[ControlWord.Capacity] = capacity;
    words[ControlWord.Orphan] = 0;
    words[ControlWord.Caller] = this.index;
    Atomics.store(words, ControlWord.Exchange, Exchange.Posted);
    ring(words);
    const isDone = (): boolean => Atomics.load(words, ControlWord.Exchange) === Exchange.Done;
    // A module that is stopped meanwhile does not answer any more.
    this.context.wait(() => isDone() || Atomics.load(words, ControlWord.Lock) !== Lock.Direct);
    if (!isDone()) {
      const isTold = Atomics.load(words, ControlWord.Exchange) === Exchange.Failed;
      return bare(isTold ? words[ControlWord.Code]! : ResponseCode.InternalServerError);
    }
    const length = words[ControlWord.Bytes]!;
    const answer = { code: words[ControlWord.Code]!, payload: to.answer.slice(0, length) };
    Atomics.store(words, ControlWord.Exchange, Exchange.None);
    this.free(to);
    return length > capacity ? bare(ResponseCode.RequestEntityTooLarge) : answer;
  }

  private free({ words, module }: Bound): void {
    if (Atomics.compareExchange(words, ControlWord.Lock, Lock.Direct, Lock.Free) !== Lock.Direct) return;
    if (Atomics.exchange(words, ControlWord.HostWaits, 0) === 1) this.context.freed(module);
  }

  private find(target: ModuleRequest['target']): Bound | null {
    const epoch = Atomics.load(this.epochWord, 0);
    if (epoch !== this.epoch) {
      this.bound.clear();
      this.epoch = epoch;
    }
    const key = 'requirement' in target ? String(target.requirement) : `${target.method} ${target.uri}`;
    const known = this.bound.get(key);
    if (known !== undefined) return known;
    if (this.bound.size >= MAX_BOUND) this.bound.clear();
    const binding = this.context.bind(target);
    let bound: Bound | null = null;
    if (binding !== null) {
      const words = new Int32Array(binding.control);
      bound = { ...binding, words, payload: areaOf(words, 0), answer: areaOf(words, 1) };
    }
    this.bound.set(key, bound);
    return bound;
  }
}
