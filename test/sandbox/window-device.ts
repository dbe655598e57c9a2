// A simulated ESP32 with a module `app` compiled for grant windows and a module `owner` whose memory is granted to it. Writes
// the grant table as the kernel would. Takes module texts; knows no test case.
import type { CompileOptions } from '../../backend-xtensa/compile-module.js';
import { BOARDS } from '../../compiler/abi/boards.js';
import {
  TS_GRANT,
  WINDOW_BASE,
  WINDOW_INDEX_BITS,
  WINDOW_OFFSET_BITS,
  WindowSymbol,
} from '../../compiler/abi/window.js';
import { memoryDataSymbol } from '../../compiler/abi/symbols.js';
import { Device, hostAddresses, type Invocation } from '../../cli/device.js';
import { buildImage } from '../../linker/build.js';
import type { LinkedImage } from '../../linker/linked.js';
import { toWords, wordsOf } from '../runner/slot-device.js';

const MAX_INSTRUCTIONS = 5_000_000;
/** Module index that `app` runs as. */
export const APP = 3;
/** What an invocation notes in the entries it uses. */
export const FRAME = 77;
const OWNER = `(module (memory (export "memory") 1))`;

export interface Grant {
  /** Entry of the table, 0 to 63. */
  readonly index: number;
  readonly generation: number;
  /** Byte offset in the owner's memory. */
  readonly start: number;
  readonly length: number;
  readonly rights: number;
  readonly holder?: number;
}

export const windowAddress = ({ index, generation }: Pick<Grant, 'index' | 'generation'>): number =>
  (WINDOW_BASE + generation * 2 ** (WINDOW_OFFSET_BITS + WINDOW_INDEX_BITS) + index * 2 ** WINDOW_OFFSET_BITS) | 0;

export class WindowDevice {
  readonly device: Device;
  readonly linked: LinkedImage;
  readonly ownerBase: number;

  constructor(app: Uint8Array, compile: CompileOptions, owner: Uint8Array) {
    const board = BOARDS.get('esp32-large')!;
    const inputs = [
      { bytes: owner, file: 'owner.wasm', name: 'owner' },
      { bytes: app, file: 'app.wasm', name: 'app' },
    ];
    const { linked, image } = buildImage(inputs, {
      board,
      compile: { windows: true, ...compile },
      link: { stackBytes: 8192, growthLimit: 0x40000 },
    });
    this.linked = linked;
    this.device = new Device(image, board, hostAddresses(linked.symbols));
    this.device.boot({ maxInstructions: MAX_INSTRUCTIONS });
    this.ownerBase = this.symbol(memoryDataSymbol('owner', 0));
    this.setWord(this.symbol(WindowSymbol.CurrentModule), APP);
    this.setWord(this.symbol(WindowSymbol.CurrentFrame), FRAME);
  }

  static readonly ownerText = OWNER;

  symbol(name: string): number {
    const symbol = this.linked.symbols.get(name);
    if (symbol === undefined) throw new Error(`no symbol ${name}`);
    return symbol.address;
  }

  setWord(address: number, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value >>> 0, true);
    this.device.machine.writeMemory(address, bytes);
  }

  /** Fills the entry; gives the window's address. */
  grant(grant: Grant): number {
    const { offset, size } = TS_GRANT;
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    view.setUint32(offset.base, this.ownerBase + grant.start, true);
    view.setUint32(offset.length, grant.length, true);
    view.setUint32(offset.key, windowAddress(grant) >>> WINDOW_OFFSET_BITS, true);
    bytes[offset.holder] = grant.holder ?? APP;
    bytes[offset.rights] = grant.rights;
    this.device.machine.writeMemory(this.entry(grant.index), bytes);
    return windowAddress(grant);
  }

  /** Address of an entry. */
  entry(index: number): number {
    return this.symbol(WindowSymbol.Grants) + index * TS_GRANT.size;
  }
  usedBy(index: number): number {
    return this.device.word(this.entry(index) + TS_GRANT.offset.used_by);
  }

  setOwner(at: number, bytes: Uint8Array): void {
    this.device.machine.writeMemory(this.ownerBase + at, bytes);
  }
  owner(at: number, length: number): Uint8Array {
    return this.device.machine.readMemory(this.ownerBase + at, length);
  }
  setOwn(at: number, bytes: Uint8Array): void {
    this.device.machine.writeMemory(this.symbol(memoryDataSymbol('app', 0)) + at, bytes);
  }
  own(at: number, length: number): Uint8Array {
    return this.device.machine.readMemory(this.symbol(memoryDataSymbol('app', 0)) + at, length);
  }

  /** Calls an export of `app`; numbers are i32 or f32 bits, bigints i64 or f64 bits. */
  call(name: string, ...args: readonly (number | bigint)[]): Invocation {
    const module = this.device.modules().find((m) => m.name === 'app')!;
    const { code, signature } = module.exports.find((e) => e.name === name)!;
    const [params = '', results = ''] = signature.split(':');
    const bits = args.map((a, i) => (params[i] === 'I' || params[i] === 'F' ? BigInt(a) : BigInt(Number(a) | 0)));
    return this.device.invoke(code, toWords(bits, params), wordsOf(results), { maxInstructions: MAX_INSTRUCTIONS });
  }
}
