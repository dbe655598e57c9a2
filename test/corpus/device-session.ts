// Takes a corpus program; gives a session on compiled code in the simulated ESP32. Knows no package.
import type { CompileOptions } from '../../backend-xtensa/compile-module.js';
import { WASM_MEMORY } from '../../compiler/abi/layout.js';
import { SlotDevice, fromWords, toWords, trapMessage, wordsOf, type SlotModule } from '../runner/slot-device.js';
import { supportBytes } from './node-session.js';
import type { CorpusProgram, JsValue, Session } from './session.js';

const MAX_INSTRUCTIONS = 2_000_000_000;
const view = new DataView(new ArrayBuffer(8));

function toBits(value: number | bigint, letter: string): bigint {
  if (letter === 'F') {
    view.setFloat64(0, Number(value));
    return view.getBigUint64(0);
  }
  if (letter === 'f') {
    view.setFloat32(0, Number(value));
    return BigInt(view.getUint32(0));
  }
  return BigInt(value);
}

function toJs(bits: bigint, letter: string): number | bigint {
  if (letter === 'I') return BigInt.asIntN(64, bits);
  if (letter === 'F') {
    view.setBigUint64(0, bits);
    return view.getFloat64(0);
  }
  if (letter === 'f') {
    view.setUint32(0, Number(bits));
    return view.getFloat32(0);
  }
  return Number(BigInt.asIntN(32, bits));
}

/** What a session's calls cost. */
export interface Cost {
  instructions: number;
  cycles: number;
  codeBytes: number;
}

function sessionOf(device: SlotDevice, module: SlotModule, cost: Cost): Session {
  const { machine } = device;
  const memory = module.info.exports.find((e) => e.kind === 'memory');
  const address = (offset: number): number => {
    if (memory === undefined) throw new Error('the module exports no memory');
    return (machine.readWord(device.address(memory.symbol) + WASM_MEMORY.offset.base) >>> 0) + offset;
  };
  return {
    call(name, ...args): JsValue {
      const [params = '', results = ''] = device.signature(module, name).split(':');
      const words = toWords(
        args.map((a, i) => toBits(a, params[i]!)),
        params,
      );
      const invocation = device.call(module, name, words, wordsOf(results));
      cost.instructions += invocation.instructions;
      cost.cycles += invocation.cycles;
      const message = trapMessage(invocation.ending);
      if (message !== undefined) throw new Error(`${name}: ${message}`);
      if (results === '') return undefined;
      return toJs(fromWords(invocation.results, results)[0]!, results);
    },
    global(name) {
      const entry = module.info.exports.find((e) => e.kind === 'global' && e.name === name)!;
      const letter = entry.type![0]!;
      const at = device.address(entry.symbol);
      const words = Array.from({ length: wordsOf(letter) }, (_, i) => machine.readWord(at + 4 * i));
      return toJs(fromWords(words, letter)[0]!, letter);
    },
    read: (offset, length) => machine.readMemory(address(offset), length),
    write: (offset, bytes) => machine.writeMemory(address(offset), bytes),
  };
}

/** Compiles, loads and instantiates the program's module and its support modules. */
export function deviceSession(
  program: CorpusProgram,
  bytes: Uint8Array,
  compile: CompileOptions,
): { session: Session; support: (name: string) => Session; cost: Cost } {
  const device = new SlotDevice({ compile, maxInstructions: MAX_INSTRUCTIONS });
  const cost: Cost = { instructions: 0, cycles: 0, codeBytes: 0 };
  const load = (code: Uint8Array, name: string): SlotModule => {
    const module = device.load(code, name);
    const message = trapMessage(device.instantiate(module).ending);
    if (message !== undefined) throw new Error(`instantiation: ${message}`);
    return module;
  };
  const supports = new Map<string, SlotModule>();
  program.support.forEach((support, i) => {
    const module = load(supportBytes(support), `support${i}`);
    device.alias(support.importName, module);
    supports.set(support.importName, module);
  });
  const module = load(bytes, 'main');
  cost.codeBytes = module.codeBytes;
  return {
    session: sessionOf(device, module, cost),
    support: (name) => sessionOf(device, supports.get(name)!, cost),
    cost,
  };
}
