// A simulated device whose image has slots and one ordinary module, and a host that installs packages through /sys/slots.
// Takes packages, gives answers. Knows no package format.
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { decode } from 'cborg';
import { ESP32 } from '../../compiler/abi/boards.js';
import { METHOD_NUMBERS } from '../../compiler/abi/os-layout.js';
import { LinkerSymbol, RuntimeSymbol } from '../../compiler/abi/linker-symbols.js';
import { RT_MAILBOX } from '../../compiler/abi/layout.js';
import { loadRuntimeObjects } from '../../linker/runtime-objects.js';
import type { SlotPlace } from '../../linker/slots.js';
import { buildThings } from '../../manifest/build.js';
import type { MethodName } from '../../manifest/file.js';
import { rawPublicKey } from '../../manifest/keys.js';
import { loadManifest } from '../../manifest/load.js';
import { wat } from '../support/wat.js';
import { handler, IMPORTS, OsDevice, word, type Answer, type BuiltDevice, type ModuleText } from './os-device.js';

/** PKCS #8 of a private key that is the same in every run: 32 bytes of its number. */
function testKey(number: number): KeyObject {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, number)]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

export const SIGNER = testKey(7);
export const STRANGER = testKey(8);

export interface BuiltSlots extends BuiltDevice {
  readonly slots: readonly SlotPlace[];
  readonly baseId: number;
}

/** RAM of a slot; its module uses the first part, a host's buffers are in the last. */
const SLOT_RAM = 12 * 1024;
const BUFFER_BYTES = 4096;

const STEADY: ModuleText = {
  name: 'steady',
  wat: `${IMPORTS} (memory (export "memory") 1) ${handler('get', `(i32.const ${word(2.05)})`)}`,
  stack: 2048,
  memory: { max: 1024 },
  provides: [{ method: 'GET', path: '/steady', handler: 'get', contract: { deadline: '1ms' } }],
};

/** An image with slots `main` and `second` (one page each), a module `steady` that answers GET /steady with 2.05, and more. */
export async function buildSlots(more: readonly ModuleText[] = []): Promise<BuiltSlots> {
  const modules = [STEADY, ...more];
  const file = {
    name: 'slots',
    version: '1.0.0',
    modules: modules.map(({ wat: _, ...entry }) => ({ version: '1.0.0', wasm: `${entry.name}.wasm`, ...entry })),
    slots: [
      { name: 'main', pages: 1, ram: SLOT_RAM },
      { name: 'second', pages: 1, ram: SLOT_RAM },
    ],
  };
  const inputs = new Map<string, { bytes: Uint8Array; file: string }>();
  for (const { name, wat: text } of modules)
    inputs.set(name, { bytes: await wat(`(module ${text})`, { names: true }), file: `${name}.wasm` });
  const built = buildThings(loadManifest(Buffer.from(JSON.stringify(file)), 'things.json'), inputs, {
    board: ESP32,
    compile: {},
    publicKey: rawPublicKey(createPublicKey(SIGNER)),
    runtime: loadRuntimeObjects(process.env['TEST_RUNTIME']),
  });
  const { linked, image, slots } = built;
  return { linked, image, slots, baseId: linked.symbols.get(LinkerSymbol.BaseId)!.address };
}

export interface SlotView {
  readonly slot: string;
  readonly state: string;
  readonly bank: number;
  readonly bytes: number;
  readonly floor: number;
  readonly module: string;
  readonly received: number;
  readonly held: boolean;
  readonly epoch: number;
  readonly ram: number;
  readonly hash: Uint8Array;
  readonly banks: readonly Uint8Array[];
}

export class SlotsDevice extends OsDevice {
  constructor(
    readonly slots: BuiltSlots,
    flash?: Uint8Array,
  ) {
    super(slots);
    if (flash !== undefined) {
      this.machine.loadFlash(flash);
      this.scramble();
      this.machine.resetFromRom();
    }
  }

  /** RAM as it comes up with the power: anything. */
  private scramble(): void {
    const { base, end } = ESP32.dram;
    const words = new Uint32Array((end - base) / 4);
    let value = 0x2545f491;
    for (let i = 0; i < words.length; i++) {
      value = (Math.imul(value, 1664525) + 1013904223) >>> 0;
      words[i] = value;
    }
    this.machine.writeMemory(base, new Uint8Array(words.buffer));
  }

  /** As in OsDevice, with time for signatures and for the flash. */
  override settle(): this {
    const stop = this.machine.run({ maxInstructions: 200_000_000, until: this.address(RuntimeSymbol.Idle) });
    if (stop.reason !== 'breakpoint') throw new Error(`${stop.message}; console: ${this.console}`);
    return this;
  }

  /** Nothing is to do and no event is on its way: also short waits of the kernel have passed. */
  calm(): this {
    return this.settle().pass(50);
  }

  /** Sets up a request whose payload may be as large as a host sends at once. */
  override prepare(method: MethodName, uri: string, payload: Uint8Array = new Uint8Array(0), capacity = 1024): void {
    const mailbox = this.address(RuntimeSymbol.Mailbox);
    const { offset } = RT_MAILBOX;
    const place = this.slots.slots[0]!;
    const buffer = place.ramBase + SLOT_RAM - BUFFER_BYTES;
    const text = Buffer.from(uri);
    const at = mailbox + offset.args + 4 * 7;
    this.machine.writeMemory(at, text);
    this.machine.writeMemory(buffer, payload);
    const response = this.slots.slots[1]!.ramBase + SLOT_RAM - BUFFER_BYTES;
    const words = [METHOD_NUMBERS[method], at, text.length, buffer, payload.length, response, capacity];
    words.forEach((value, i) => this.machine.writeWord(mailbox + offset.args + 4 * i, value));
    this.machine.writeWord(mailbox + offset.entry, this.address('ts_host_request'));
    this.machine.pc = this.address(RuntimeSymbol.RunMailbox);
  }

  override answer(): Answer {
    const result = this.machine.readWord(this.address(RuntimeSymbol.Mailbox) + RT_MAILBOX.offset.results) >>> 0;
    const byte = result >>> 24;
    const response = this.slots.slots[1]!.ramBase + SLOT_RAM - BUFFER_BYTES;
    return {
      code: Math.round(((byte >>> 5) + (byte & 31) / 100) * 100) / 100,
      payload: Buffer.from(this.machine.readMemory(response, result & 0xffffff)),
    };
  }

  /** Sends a package; the first answer that is no success, or that of the commit. */
  install(file: Uint8Array, slot = 'main', piece = 1024, query = ''): Answer {
    const total = Buffer.alloc(4);
    total.writeUInt32LE(file.length);
    const begun = this.request('POST', `sys/slots/${slot}`, total);
    if (begun.code >= 3) return begun;
    for (let offset = 0; offset < file.length; offset += piece) {
      const part = file.subarray(offset, offset + piece);
      const answer = this.request('PUT', `sys/slots/${slot}?offset=${offset}`, part);
      if (answer.code >= 3) return answer;
    }
    return this.request('POST', `sys/slots/${slot}/commit${query}`);
  }

  slot(name = 'main'): SlotView {
    const { code, payload } = this.request('GET', `sys/slots/${name}`);
    if (code !== 2.05) throw new Error(`GET sys/slots/${name}: ${code}`);
    return decode(payload) as SlotView;
  }
}
