// The memory that a module's thread shares with its host and with the threads that call it: doorbell, lock, one request at a
// time. Plain words and their meaning; knows no thread.

/** Words of a thread's control area. */
export const ControlWord = {
  /** Rings: grows with everything that happens, for Atomics.wait. */
  Sent: 0,
  /** Messages of the host. */
  Posted: 1,
  /** Number of the invocation whose time is over. */
  Expired: 2,
  /** Who has the module: `Lock`. */
  Lock: 3,
  /** 1: the host wants the lock, and to be told. */
  HostWaits: 4,
  /** Of a request from thread to thread: `Exchange`. */
  Exchange: 5,
  Binding: 6,
  Chain: 7,
  Depth: 8,
  Bytes: 9,
  Capacity: 10,
  Code: 11,
  /** 1: who called is gone, the lock goes back without it. */
  Orphan: 12,
  /** Number of the module that calls. */
  Caller: 13,
  /** Of the next invocation. */
  Invocation: 14,
  /** Milliseconds that this thread has waited for others, and since when it does (0: not). */
  WaitedMs: 15,
  WaitingSince: 16,
} as const;
export const CONTROL_WORDS = 32;

/** `Direct`: a thread calls; `Closed`: it is not running, or leaves. */
export const Lock = { Closed: 0, Free: 1, Host: 2, Direct: 3 } as const;
/** `Failed`: the caller waits until the host, who has been told, closes the lock. */
export const Exchange = { None: 0, Posted: 1, Running: 2, Done: 3, Failed: 4 } as const;

/** Most bytes of a payload either way; what is larger goes by the host. */
export const AREA_BYTES = 8192;
export const CONTROL_BYTES = 4 * CONTROL_WORDS + 2 * AREA_BYTES;

/** Where payload and answer of a request are. */
export const areaOf = (control: Int32Array, which: 0 | 1): Uint8Array =>
  new Uint8Array(control.buffer, 4 * CONTROL_WORDS + which * AREA_BYTES, AREA_BYTES);

export function ring(control: Int32Array): void {
  Atomics.add(control, ControlWord.Sent, 1);
  Atomics.notify(control, ControlWord.Sent);
}

/** Words of a module's counters: calls from thread to thread, then how long the last ones took, in microseconds. */
export const StatWord = { Calls: 0, Times: 1 } as const;
export const STAT_TIMES = 64;
export const STAT_BYTES = 4 * (StatWord.Times + STAT_TIMES);
