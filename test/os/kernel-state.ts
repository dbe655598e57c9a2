// Reads the kernel's tables out of a device's memory: modules, chains with their frames, grants, subscriptions. The offsets
// are those of firmware/include/kernel.h, asserted there against the constants here; knows no expectation.
import { MAX_MODULES, MAX_SUBSCRIPTIONS, OS_ARGUMENT_WORDS, TS_MODULE_INFO } from '../../compiler/abi/os-layout.js';
import { MAX_GRANTS, TS_GRANT } from '../../compiler/abi/window.js';
import { EXCEPTION_FRAME } from '../../compiler/abi/layout.js';

/** As in kernel.h. */
const FRAME = {
  caller: 4,
  module: 8,
  serial: 12,
  deadline: 16,
  service: 20,
  depth: 32,
  ceiling: 33,
  doomed: 34,
};
const MODULE = {
  info: 0,
  sp: 4,
  state: 8,
  depth: 9,
  index: 10,
  level: 11,
  ceiling: 12,
  events: 13,
  timersOn: 14,
  faults: 20,
};
const KERNEL = {
  frame: 0,
  ceiling: 12,
  level: 13,
  ready: 14,
  preempted: 15,
  callGrants: 24,
  pending: 28,
  head: 43,
  tail: 44,
};
const CONTEXT_EXTRA_WORDS = 24;
const CONTEXT = { frame: EXCEPTION_FRAME.size + 4 * (CONTEXT_EXTRA_WORDS + OS_ARGUMENT_WORDS) };

export interface Memory {
  readonly machine: { readWord(address: number): number; readMemory(address: number, length: number): Uint8Array };
  address(symbol: string): number;
  readonly built: {
    readonly linked: { readonly symbols: ReadonlyMap<string, { readonly address: number; readonly size: number }> };
  };
}

export interface FrameView {
  readonly address: number;
  readonly module: number;
  readonly serial: number;
  readonly deadline: number;
  readonly depth: number;
  readonly ceiling: number;
  readonly doomed: boolean;
  readonly savedSp: number;
}

export interface ModuleView {
  readonly index: number;
  readonly name: string;
  readonly sp: number;
  readonly state: number;
  readonly level: number;
  readonly ceiling: number;
  readonly depth: number;
  readonly events: number;
  readonly timersOn: number;
  readonly faults: number;
  readonly stackBottom: number;
  readonly stackTop: number;
}

export interface GrantView {
  readonly index: number;
  readonly base: number;
  readonly length: number;
  readonly key: number;
  readonly holder: number;
  readonly owner: number;
  readonly rights: number;
  readonly flags: number;
  readonly usedBy: number;
  readonly parent: number;
  readonly child: number;
  readonly sibling: number;
}

export interface KernelView {
  readonly modules: readonly ModuleView[];
  /** The running chain first; frames innermost first. */
  readonly chains: readonly (readonly FrameView[])[];
  readonly ceiling: number;
  readonly level: number;
  readonly ready: number;
  readonly preempted: number;
  readonly pending: readonly number[];
  readonly grants: readonly GrantView[];
  /** Grants of calls in use. */
  readonly callGrants: number;
  readonly freeHead: number;
  readonly freeTail: number;
}

/** Most frames a chain can have before something is wrong. */
const LIMIT = 64;

export function kernelState(device: Memory): KernelView {
  const { machine } = device;
  const word = (at: number): number => machine.readWord(at) >>> 0;
  const byte = (at: number): number => machine.readMemory(at, 1)[0]!;
  const half = (at: number): number => byte(at) | (byte(at + 1) << 8);
  const text = (at: number): string => {
    const bytes = machine.readMemory(at, 32);
    return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString();
  };
  const size = (symbol: string): number => device.built.linked.symbols.get(symbol)!.size;
  const table = device.address('ts_modules');
  const moduleSize = size('ts_modules') / MAX_MODULES;
  const modules: ModuleView[] = [];
  for (let i = 0; i < MAX_MODULES; i++) {
    const at = table + i * moduleSize;
    const info = word(at + MODULE.info);
    if (info === 0) continue;
    modules.push({
      index: byte(at + MODULE.index),
      name: text(word(info + TS_MODULE_INFO.offset.name)),
      sp: word(at + MODULE.sp),
      state: byte(at + MODULE.state),
      level: byte(at + MODULE.level),
      ceiling: byte(at + MODULE.ceiling),
      depth: byte(at + MODULE.depth),
      events: byte(at + MODULE.events),
      timersOn: byte(at + MODULE.timersOn),
      faults: half(at + MODULE.faults),
      stackBottom: word(info + TS_MODULE_INFO.offset.stack_bottom),
      stackTop: word(info + TS_MODULE_INFO.offset.stack_top),
    });
  }
  const frames = (first: number): FrameView[] => {
    const list: FrameView[] = [];
    for (let at = first; at !== 0; at = word(at + FRAME.caller)) {
      if (list.length === LIMIT) throw new Error('a chain without end');
      list.push({
        address: at,
        module: (word(at + FRAME.module) - table) / moduleSize,
        serial: word(at + FRAME.serial),
        deadline: word(at + FRAME.deadline),
        depth: byte(at + FRAME.depth),
        ceiling: byte(at + FRAME.ceiling),
        doomed: byte(at + FRAME.doomed) !== 0,
        savedSp: word(at),
      });
    }
    return list;
  };
  const kernel = device.address('ts_kernel');
  const preempted = byte(kernel + KERNEL.preempted);
  const contexts = device.address('ts_contexts');
  const contextSize = size('ts_contexts') / 4;
  const chains = [frames(word(kernel + KERNEL.frame))];
  for (let i = preempted - 1; i >= 0; i--) chains.push(frames(word(contexts + i * contextSize + CONTEXT.frame)));
  const grants = Array.from({ length: MAX_GRANTS }, (_, index): GrantView => {
    const at = device.address('ts_grants') + index * TS_GRANT.size;
    const { offset } = TS_GRANT;
    return {
      index,
      base: word(at + offset.base),
      length: word(at + offset.length),
      key: word(at + offset.key),
      holder: byte(at + offset.holder),
      owner: byte(at + offset.owner),
      rights: byte(at + offset.rights),
      flags: byte(at + offset.flags),
      usedBy: word(at + offset.used_by),
      parent: byte(at + offset.parent),
      child: byte(at + offset.child),
      sibling: byte(at + offset.sibling),
    };
  });
  return {
    modules,
    chains,
    ceiling: byte(kernel + KERNEL.ceiling),
    level: byte(kernel + KERNEL.level),
    ready: byte(kernel + KERNEL.ready),
    preempted,
    pending: Array.from({ length: 5 }, (_, i) => half(kernel + KERNEL.pending + 2 * i)),
    grants,
    callGrants: (word(kernel + KERNEL.callGrants) - device.address('ts_grants')) / TS_GRANT.size,
    freeHead: byte(kernel + KERNEL.head),
    freeTail: byte(kernel + KERNEL.tail),
  };
}

export { MAX_SUBSCRIPTIONS };
