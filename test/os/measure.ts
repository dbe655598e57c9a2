// Measures what a local call by number costs on the simulated device, by payload size and by what its contract has checked.
// Takes the built runtime, gives instructions; judges nothing.
import { bootDevice, handler, IMPORTS, OsDevice, word, type ModuleText } from './os-device.js';

export interface CallCost {
  readonly bytes: number;
  /** Where a record of five fields, three of them with ranges, is checked; else sizes are. */
  readonly record: 'none' | 'request' | 'both';
  /** From the first instruction of the import to the handler's first, and from the handler's return to the caller. */
  readonly there: number;
  readonly back: number;
  /** Both with the handler between them, in cycles of the timing model. */
  readonly cycles: number;
}

const SIZES = [0, 16, 256, 1024, 4096] as const;

const RECORD = {
  type: 'record',
  fields: [
    { name: 'channel', type: 'u16', max: 7 },
    { name: 'flags', type: 'u16' },
    { name: 'value', type: 'i32', min: -1000, max: 1000 },
    { name: 'scale', type: 'i32', min: 0, max: 100 },
    { name: 'time', type: 'u32' },
  ],
} as const;
const RECORD_BYTES = 16;

interface Call {
  readonly record: CallCost['record'];
  readonly bytes: number;
  readonly method: 'PUT' | 'POST';
  readonly path: string;
  readonly handler: 'take' | 'keep';
}

const CALLS: readonly Call[] = [
  ...SIZES.map((bytes): Call => ({ record: 'none', bytes, method: 'PUT', path: `/plain/${bytes}`, handler: 'take' })),
  { record: 'request', bytes: RECORD_BYTES, method: 'PUT', path: '/record', handler: 'keep' },
  { record: 'both', bytes: RECORD_BYTES, method: 'POST', path: '/record', handler: 'take' },
];

function contract({ record, bytes }: Call) {
  const sized = { type: 'bytes' as const, max: bytes };
  const request = record === 'none' ? sized : RECORD;
  if (bytes === 0) return { deadline: '1ms' };
  return {
    request,
    deadline: '1ms',
    ...(record === 'request' ? {} : { response: record === 'none' ? sized : RECORD }),
  };
}

/** `take` answers with as many bytes as it gets, `keep` with none. */
const CALLEE: ModuleText = {
  name: 'callee',
  provides: CALLS.map((call) => ({
    method: call.method,
    path: call.path,
    handler: call.handler,
    contract: contract(call),
  })),
  wat: `${IMPORTS} ${handler('take', '(i32.or (i32.const 0x44000000) (local.get $n))')} ${handler('keep', '(i32.const 0x44000000)')}`,
};

/** GET /go/I makes call I twice: the first binds the route. */
const CALLER: ModuleText = {
  name: 'caller',
  provides: CALLS.map((_, i) => ({
    method: 'GET',
    path: `/go/${i}`,
    handler: `go${i}`,
    contract: { response: { type: 'bytes', max: 4 }, deadline: '100ms' },
  })),
  requires: CALLS.map(({ method, path }, i) => ({ path, methods: [method], name: `call${i}` })),
  wat: `${IMPORTS} (memory (export "memory") 1)
    (data (i32.const 1024) "\\05\\00\\ff\\ff\\18\\fc\\ff\\ff\\32\\00\\00\\00\\00\\00\\00\\00")
    (data (i32.const 8192) "\\05\\00\\ff\\ff\\18\\fc\\ff\\ff\\32\\00\\00\\00\\00\\00\\00\\00")
    ${CALLS.map(({ bytes, handler: how }, i) => {
      const room = how === 'take' ? bytes : 0;
      const call = `(call $call (i32.const ${i}) (i32.const 1024) (i32.const ${bytes}) (i32.const 8192) (i32.const ${room}))`;
      return handler(`go${i}`, `(drop ${call}) (i32.store (local.get $r) ${call}) (i32.const ${word(2.05, 4)})`);
    }).join('')}`,
};

function measure(device: OsDevice, index: number, call: Call): CallCost {
  const { machine } = device;
  const entry = device.address('thingspire.call');
  const first = device.address(`callee.${call.handler}`);
  const symbols = [...device.built.linked.symbols.values()].filter(({ address }) => address > first);
  const end = Math.min(...symbols.map(({ address }) => address));
  const at = { entered: 0, handler: 0, returned: 0, back: 0 };
  let cycles = 0;
  let entries = 0;
  let returnTo = -1;
  device.prepare('GET', `/go/${index}`);
  machine.setTrace(() => {
    const { pc, instructions } = machine;
    if (pc === entry && ++entries === 2) {
      at.entered = instructions;
      cycles = machine.cycles;
      returnTo = machine.getRegister(0) >>> 0;
    }
    if (entries < 2 || at.back !== 0) return;
    if (pc === first) at.handler = instructions;
    else if (at.handler !== 0 && at.returned === 0 && (pc < first || pc >= end)) at.returned = instructions;
    if (pc !== returnTo) return;
    at.back = instructions;
    cycles = machine.cycles - cycles;
  });
  device.settle();
  machine.setTrace(undefined);
  const result = device.answer().payload.readUInt32LE();
  if (result >>> 24 !== 0x44) throw new Error(`the measured call failed: ${result.toString(16)}`);
  const { record, bytes } = call;
  return { bytes, record, there: at.handler - at.entered, back: at.back - at.returned, cycles };
}

export async function measureCalls(): Promise<CallCost[]> {
  const device = await bootDevice([CALLEE, CALLER]);
  return CALLS.map((call, i) => measure(device, i, call));
}
