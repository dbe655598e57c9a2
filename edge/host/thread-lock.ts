// The lock of a module's thread: the host has it, or the thread of another module, or nobody. Takes the words that both
// share; knows no message.
import { ControlWord, Exchange, Lock } from '../worker/shared.js';

export class ThreadLock {
  /** @param released told of the module whose thread had the lock when it was closed: it waits no longer */
  constructor(
    private readonly words: Int32Array,
    private readonly released: (caller: number) => void,
  ) {}

  /** Takes the module for the host. False: another thread has it; `freed` tells of its end. */
  hold(): boolean {
    const take = (): boolean => {
      const was = Atomics.compareExchange(this.words, ControlWord.Lock, Lock.Free, Lock.Host);
      return was === Lock.Free || was === Lock.Host;
    };
    if (take()) return true;
    Atomics.store(this.words, ControlWord.HostWaits, 1);
    if (!take()) return false;
    Atomics.store(this.words, ControlWord.HostWaits, 0);
    return true;
  }

  /** Leaves it to whoever comes. */
  release(): void {
    Atomics.compareExchange(this.words, ControlWord.Lock, Lock.Host, Lock.Free);
  }

  /** It runs: the host has it. */
  open(): void {
    Atomics.store(this.words, ControlWord.Lock, Lock.Host);
  }

  /** It does not run (any more): whose thread has called it, if one has, waits no longer. */
  close(): void {
    const was = Atomics.exchange(this.words, ControlWord.Lock, Lock.Closed);
    Atomics.store(this.words, ControlWord.HostWaits, 0);
    if (was === Lock.Direct) this.released(this.words[ControlWord.Caller]!);
  }

  /** The chain that has it through another thread, or null. */
  get chain(): number | null {
    const isDirect = Atomics.load(this.words, ControlWord.Lock) === Lock.Direct;
    return isDirect ? this.words[ControlWord.Chain]! : null;
  }

  /** The thread of module `index` has ended: what it has asked for here ends by itself. */
  callerGone(index: number): void {
    const { words } = this;
    if (Atomics.load(words, ControlWord.Lock) !== Lock.Direct || words[ControlWord.Caller] !== index) return;
    Atomics.store(words, ControlWord.Orphan, 1);
    const exchange = Atomics.load(words, ControlWord.Exchange);
    if (exchange === Exchange.None || exchange === Exchange.Done)
      Atomics.compareExchange(words, ControlWord.Lock, Lock.Direct, Lock.Free);
  }
}
