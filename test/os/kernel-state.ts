// Reads the kernel's tables out of a device's memory: modules, chains with their frames, grants, subscriptions. The offsets
// are those of firmware/include/kernel.h, asserted there against the constants here; knows no expectation.
import { MAX_MODULES, OS_ARGUMENT_WORDS, TS_MODULE_INFO } from '../../compiler/abi/os-layout.js';
import { MAX_GRANTS, TS_GRANT } from '../../compiler/abi/window.js';
import { EXCEPTION_FRAME } from '../../compiler/abi/layout.js';

/** As in kernel.h. */
const FRAME = {
  size: 48,
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

/** What of a module never changes, by address of its descriptor. */
interface Described {
  readonly name: string;
  readonly stackBottom: number;
  readonly stackTop: number;
}
const described = new WeakMap<Memory, Map<number, Described>>();

function describe(device: Memory, info: number): Described {
  const known = described.get(device) ?? new Map<number, Described>();
  described.set(device, known);
  let found = known.get(info);
  if (found === undefined) {
    const word = (field: number): number => device.machine.readWord(info + field) >>> 0;
    const bytes = device.machine.readMemory(word(TS_MODULE_INFO.offset.name), 32);
    found = {
      name: Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString(),
      stackBottom: word(TS_MODULE_INFO.offset.stack_bottom),
      stackTop: word(TS_MODULE_INFO.offset.stack_top),
    };
    known.set(info, found);
  }
  return found;
}

function readGrants({ machine, built }: Memory): GrantView[] {
  const { address, size } = built.linked.symbols.get('ts_grants')!;
  const bytes = machine.readMemory(address, size);
  const entries = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { offset } = TS_GRANT;
  return Array.from({ length: MAX_GRANTS }, (_, index): GrantView => {
    const at = index * TS_GRANT.size;
    return {
      index,
      base: entries.getUint32(at + offset.base, true),
      length: entries.getUint32(at + offset.length, true),
      key: entries.getUint32(at + offset.key, true),
      holder: entries.getUint8(at + offset.holder),
      owner: entries.getUint8(at + offset.owner),
      rights: entries.getUint8(at + offset.rights),
      flags: entries.getUint8(at + offset.flags),
      usedBy: entries.getUint32(at + offset.used_by, true),
      parent: entries.getUint8(at + offset.parent),
      child: entries.getUint8(at + offset.child),
      sibling: entries.getUint8(at + offset.sibling),
    };
  });
}

export function kernelState(device: Memory): KernelView {
  const view = (address: number, length: number): DataView => {
    const bytes = device.machine.readMemory(address, length);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  };
  const place = (symbol: string) => device.built.linked.symbols.get(symbol)!;
  const table = place('ts_modules');
  const moduleSize = table.size / MAX_MODULES;
  const all = view(table.address, table.size);
  const modules: ModuleView[] = [];
  for (let i = 0; i < MAX_MODULES; i++) {
    const at = i * moduleSize;
    const info = all.getUint32(at + MODULE.info, true);
    if (info === 0) continue;
    modules.push({
      ...describe(device, info),
      index: all.getUint8(at + MODULE.index),
      sp: all.getUint32(at + MODULE.sp, true),
      state: all.getUint8(at + MODULE.state),
      level: all.getUint8(at + MODULE.level),
      ceiling: all.getUint8(at + MODULE.ceiling),
      depth: all.getUint8(at + MODULE.depth),
      events: all.getUint8(at + MODULE.events),
      timersOn: all.getUint8(at + MODULE.timersOn),
      faults: all.getUint16(at + MODULE.faults, true),
    });
  }
  const frames = (first: number): FrameView[] => {
    const list: FrameView[] = [];
    for (let address = first; address !== 0;) {
      if (list.length === LIMIT) throw new Error('a chain without end');
      const frame = view(address, FRAME.size);
      list.push({
        address,
        module: (frame.getUint32(FRAME.module, true) - table.address) / moduleSize,
        serial: frame.getUint32(FRAME.serial, true),
        deadline: frame.getUint32(FRAME.deadline, true),
        depth: frame.getUint8(FRAME.depth),
        ceiling: frame.getUint8(FRAME.ceiling),
        doomed: frame.getUint8(FRAME.doomed) !== 0,
        savedSp: frame.getUint32(0, true),
      });
      address = frame.getUint32(FRAME.caller, true);
    }
    return list;
  };
  const kernel = view(place('ts_kernel').address, place('ts_kernel').size);
  const preempted = kernel.getUint8(KERNEL.preempted);
  const contexts = place('ts_contexts');
  const contextSize = contexts.size / 4;
  const chains = [frames(kernel.getUint32(KERNEL.frame, true))];
  for (let i = preempted - 1; i >= 0; i--)
    chains.push(frames(device.machine.readWord(contexts.address + i * contextSize + CONTEXT.frame) >>> 0));
  const grantTable = place('ts_grants');
  return {
    modules,
    chains,
    ceiling: kernel.getUint8(KERNEL.ceiling),
    level: kernel.getUint8(KERNEL.level),
    ready: kernel.getUint8(KERNEL.ready),
    preempted,
    pending: Array.from({ length: 5 }, (_, i) => kernel.getUint16(KERNEL.pending + 2 * i, true)),
    get grants() {
      return readGrants(device);
    },
    callGrants: (kernel.getUint32(KERNEL.callGrants, true) - grantTable.address) / TS_GRANT.size,
    freeHead: kernel.getUint8(KERNEL.head),
    freeTail: kernel.getUint8(KERNEL.tail),
  };
}
