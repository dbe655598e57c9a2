// Measures what the kernel's paths cost on the simulated device, in instructions: local calls by payload size with and
// without a checked contract, grants, context switches, masked sections. Takes a runtime, gives numbers; judges nothing.
import { RuntimeSymbol } from '../../compiler/abi/linker-symbols.js';
import { bootDevice, handler, IMPORTS, OsDevice, word, type ModuleText } from './os-device.js';

export interface CallCost {
  readonly bytes: number;
  readonly contract: boolean;
  /** From the instruction after the caller's call0 to the handler's first, and from its return to the caller. */
  readonly there: number;
  readonly back: number;
  /** Both, in cycles of the timing model. */
  readonly cycles: number;
}

const SIZES = [0, 16, 256, 1024, 4096] as const;

/** Four fields, three of them with ranges. */
const RECORD = {
  type: 'record',
  fields: [
    { name: 'channel', type: 'u16', max: 7 },
    { name: 'flags', type: 'u16' },
    { name: 'value', type: 'i32', min: -1000, max: 1000 },
    { name: 'scale', type: 'f32', min: 0, max: 1 },
    { name: 'time', type: 'u32' },
  ],
} as const;
export const RECORD_BYTES = 16;

function modules(): ModuleText[] {
  const plain = (bytes: number) => ({
    method: 'PUT' as const,
    path: `/plain/${bytes}`,
    handler: 'take',
    contract: {
      ...(bytes === 0
        ? {}
        : { request: { type: 'bytes' as const, max: bytes }, response: { type: 'bytes' as const, max: bytes } }),
      deadline: '1ms',
    },
  });
  return [
    {
      name: 'callee',
      provides: [
        ...SIZES.map(plain),
        {
          method: 'PUT',
          path: '/record',
          handler: 'take',
          contract: { request: RECORD, response: RECORD, deadline: '1ms' },
        },
      ],
      wat: `${IMPORTS} ${handler('take', '(i32.or (i32.const 0x44000000) (local.get $n))')}`,
    },
    {
      name: 'caller',
      provides: [...SIZES.map((bytes) => `c${bytes}`), 'record', 'grant'].map((name) => ({
        method: 'GET' as const,
        path: `/go/${name}`,
        handler: name,
        contract: { response: { type: 'bytes' as const, max: 4 }, deadline: '100ms' },
      })),
      requires: [
        ...SIZES.map((bytes) => ({ path: `/plain/${bytes}`, methods: ['PUT' as const], name: `p${bytes}` })),
        { path: '/record', methods: ['PUT'] },
      ],
      wat: `${IMPORTS} (memory (export "memory") 1)
        (data (i32.const 1024) "\\05\\00\\ff\\ff\\18\\fc\\ff\\ff\\00\\00\\00\\3f\\00\\00\\00\\00")
        (func $twice (param $i i32) (param $n i32) (param $r i32) (result i32)
          (drop (call $call (local.get $i) (i32.const 1024) (local.get $n) (i32.const 8192) (local.get $n)))
          (i32.store (local.get $r) (call $call (local.get $i) (i32.const 1024) (local.get $n) (i32.const 8192) (local.get $n)))
          (i32.const ${word(2.05, 4)}))
        ${SIZES.map((bytes, i) => handler(`c${bytes}`, `(call $twice (i32.const ${i}) (i32.const ${bytes}) (local.get $r))`)).join('')}
        ${handler(
          'record',
          `(memory.copy (i32.const 8192) (i32.const 1024) (i32.const ${RECORD_BYTES}))
           (call $twice (i32.const ${SIZES.length}) (i32.const ${RECORD_BYTES}) (local.get $r))`,
        )}
        ${handler(
          'grant',
          `(i32.store (local.get $r) (call $grant (i32.const 0) (i32.const 1024) (i32.const 64) (i32.const 1) (i32.const 0)))
           (i32.store (local.get $r) (call $revoke (i32.load (local.get $r))))
           (i32.store (local.get $r) (call $grant (i32.const 0) (i32.const 1024) (i32.const 64) (i32.const 1) (i32.const 0)))
           (i32.store (local.get $r) (call $revoke (i32.load (local.get $r))))
           (i32.const ${word(2.05, 4)})`,
        )}`,
    },
  ];
}

/** Symbol of an address, for addresses of functions. */
function namer(device: OsDevice): (pc: number) => string {
  const symbols = [...device.built.linked.symbols]
    .map(([name, { address }]) => ({ name, address }))
    .filter(({ name }) => !name.includes('$'))
    .sort((a, b) => a.address - b.address);
  return (pc) => {
    let low = 0;
    let high = symbols.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (symbols[middle]!.address <= pc) low = middle;
      else high = middle;
    }
    return symbols[low]!.name;
  };
}

/** Instructions by function between two points of a run, for finding out where they go. */
export type Profile = ReadonlyMap<string, number>;

/** Cost of one call, the route being bound already. */
function measureCall(
  device: OsDevice,
  path: string,
  profile?: Map<string, number>,
): { there: number; back: number; cycles: number } {
  const entry = device.address('thingspire.call');
  const take = device.address('callee.take');
  const name = namer(device);
  let calls = 0;
  let start = 0;
  let startCycles = 0;
  let there = 0;
  let left = 0;
  let back = 0;
  let cycles = 0;
  let returnTo = -1;
  let inCallee = false;
  device.prepare('GET', path);
  device.machine.setTrace(() => {
    const { pc } = device.machine;
    if (pc === entry && ++calls === 2) {
      start = device.machine.instructions;
      startCycles = device.machine.cycles;
      returnTo = device.machine.getRegister(0) >>> 0;
    }
    if (calls !== 2 || back !== 0) return;
    if (pc === take) {
      there = device.machine.instructions - start;
      inCallee = true;
    }
    const at = name(pc);
    if (inCallee && at !== 'callee.take') {
      inCallee = false;
      left = device.machine.instructions;
    }
    if (pc === returnTo) {
      back = device.machine.instructions - left;
      cycles = device.machine.cycles - startCycles;
    } else if (profile !== undefined && !inCallee) profile.set(at, (profile.get(at) ?? 0) + 1);
  });
  device.settle();
  device.machine.setTrace(undefined);
  const result = device.answer().payload.readUInt32LE();
  if (result >>> 24 !== 0x44) throw new Error(`the measured call failed: ${result.toString(16)}`);
  return { there, back, cycles };
}

/** Where the instructions of a call with a checked record go. */
export async function profileCall(path = '/go/record'): Promise<Profile> {
  const device = await bootDevice(modules());
  const profile = new Map<string, number>();
  measureCall(device, path, profile);
  return profile;
}

export async function measureCalls(): Promise<CallCost[]> {
  const device = await bootDevice(modules());
  const costs = SIZES.map((bytes) => ({ bytes, contract: false, ...measureCall(device, `/go/c${bytes}`) }));
  return [...costs, { bytes: RECORD_BYTES, contract: true, ...measureCall(device, '/go/record') }];
}

export { RuntimeSymbol };
