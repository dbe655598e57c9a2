// A fleet for tests of moves: two simulated boards and an edge under one router and registry; a counter that knows which
// calls it has had, and callers that know which they have made. Takes failures to inject; gives counts. Knows no
// expectation.
import { createHash, createPublicKey, createPrivateKey } from 'node:crypto';
import { ESP32 } from '../../compiler/abi/boards.js';
import { Method, ResponseCode } from '../../compiler/abi/os-layout.js';
import { Device } from '../../edge/device/device.js';
import { SlotCompiler } from '../../edge/device/slot-compiler.js';
import { EdgePlace, modelOfPackage, serviceEntries } from '../../edge/fleet/edge-place.js';
import { migrate, recover, type MigrationOptions, type MigrationReport } from '../../edge/fleet/migrate.js';
import type { ModulePlace, Placement } from '../../edge/fleet/types.js';
import { EmbeddedRegistry } from '../../edge/registry/embedded.js';
import { Router } from '../../edge/router/router.js';
import { writeElf } from '../../linker/elf-output.js';
import type { LinkedImage } from '../../linker/linked.js';
import { buildThings } from '../../manifest/build.js';
import { firmwareNotes, readFirmware, type FirmwareDescription } from '../../manifest/firmware.js';
import type { ModuleEntry } from '../../manifest/file.js';
import { rawPublicKey } from '../../manifest/keys.js';
import { loadManifest } from '../../manifest/load.js';
import { embedManifest } from '../../manifest/section.js';
import { handler, IMPORTS, word } from '../os/os-device.js';
import { wat } from '../support/wat.js';
import { Board, type BoardOptions } from './board.js';

export const THING = 'station';
const COUNTER = 'counter';

/** PKCS #8 of a key that is the same in every run. */
export const SIGNER = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 9)]),
  format: 'der',
  type: 'pkcs8',
});

/**
 * `POST /count` with a number: notes that this call has come; answers how often it has. `GET /count`: calls, calls that came
 * twice, timer events, notifications. Subscribes to /pulse, counts by a timer; has tables, segments and globals of all
 * types. `bytes` of its memory are written.
 */
export async function counterModule(bytes = 0): Promise<Uint8Array> {
  const pages = Math.max(1, Math.ceil((BITS + 8192 + bytes) / 65536));
  const text = `(module ${IMPORTS} (memory (export "memory") ${pages})
    (type $step (func (param i32) (result i32)))
    (table 3 funcref) (elem (i32.const 0) $up $down) (elem $spare func $up)
    (data (i32.const 64) "/pulse") (data $note "note")
    (global $calls (mut i32) (i32.const 0)) (global $twice (mut i32) (i32.const 0))
    (global $ticks (mut i32) (i32.const 0)) (global $notes (mut i32) (i32.const 0))
    (global $wide (mut i64) (i64.const 0x1000000000)) (global $half (mut f32) (f32.const 0.5))
    (global $double (mut f64) (f64.const 0.25))
    (func $up (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func $down (param i32) (result i32) (i32.sub (local.get 0) (i32.const 1)))
    (func (export "on_start")
      (memory.fill (i32.const ${BITS + 8192}) (i32.const 0x5a) (i32.const ${bytes}))
      (table.init 0 $spare (i32.const 2) (i32.const 0) (i32.const 1)) (elem.drop $spare)
      (data.drop $note)
      (drop (call $timer (i32.const 1) (i32.const 40) (i32.const 40)))
      (drop (call $observe (i32.const 64) (i32.const 6) (i32.const 128) (i32.const 8))))
    (func (export "on_timer") (param i32)
      (global.set $ticks (call_indirect (type $step) (global.get $ticks) (i32.const 2))))
    (func (export "on_notify") (param i32 i32)
      (if (i32.eq (i32.shr_u (local.get 1) (i32.const 24)) (i32.const 0x45))
        (then (global.set $notes (i32.add (global.get $notes) (i32.const 1))))))
    ${handler(
      'count',
      `(local.set $id (i32.load (local.get $p)))
       (local.set $at (i32.add (i32.const ${BITS}) (i32.shr_u (local.get $id) (i32.const 3))))
       (local.set $bit (i32.shl (i32.const 1) (i32.and (local.get $id) (i32.const 7))))
       (if (i32.and (i32.load8_u (local.get $at)) (local.get $bit))
         (then (global.set $twice (i32.add (global.get $twice) (i32.const 1)))))
       (i32.store8 (local.get $at) (i32.or (i32.load8_u (local.get $at)) (local.get $bit)))
       (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
       (global.set $wide (i64.add (global.get $wide) (i64.const 0x100000001)))
       (global.set $half (f32.add (global.get $half) (f32.const 1)))
       (global.set $double (f64.add (global.get $double) (f64.const 1)))
       (i32.store (local.get $r) (global.get $calls)) (i32.const ${word(2.05, 4) | 0})`,
      '(local $id i32) (local $at i32) (local $bit i32)',
    )}
    ${handler(
      'get',
      `(i32.store (local.get $r) (global.get $calls)) (i32.store offset=4 (local.get $r) (global.get $twice))
       (i32.store offset=8 (local.get $r) (global.get $ticks)) (i32.store offset=12 (local.get $r) (global.get $notes))
       (i32.const ${word(2.05, 16) | 0})`,
    )})`;
  const reply = { response: { type: 'bytes', max: 16 }, deadline: '50ms' } as const;
  const entry = {
    name: COUNTER,
    version: '1.0.0',
    stack: 2048,
    memory: { max: BITS + 8192 + bytes },
    eventDeadline: '50ms',
    provides: [
      {
        method: 'POST',
        path: '/count',
        handler: 'count',
        contract: { ...reply, request: { type: 'bytes', min: 4, max: 4 } },
      },
      { method: 'GET', path: '/count', handler: 'get', contract: reply },
    ],
    requires: [{ path: '/pulse', methods: ['GET'], external: true }],
  };
  return embedManifest(await wat(text), { thingspire: 1, module: entry, types: {} });
}
/** First byte of the map of calls. */
const BITS = 1024;
/** Calls of the module on the first board count from here. */
const FIRST_OF_BOARD = 0x8000;

/** On the boards: calls the counter all the time, one call after the other, and tells what came of it. */
const CALLER = `${IMPORTS} (memory (export "memory") 1)
  (global $id (mut i32) (i32.const ${FIRST_OF_BOARD})) (global $fine (mut i32) (i32.const 0))
  (global $failed (mut i32) (i32.const 0)) (global $on (mut i32) (i32.const 0)) (global $pulse (mut i32) (i32.const 0))
  (data (i32.const 64) "pulse")
  (func (export "on_start") (drop (call $timer (i32.const 0) (i32.const 30) (i32.const 30))))
  (func (export "on_timer") (param i32)
    (global.set $pulse (i32.add (global.get $pulse) (i32.const 1)))
    (if (i32.eqz (i32.rem_u (global.get $pulse) (i32.const 4)))
      (then (drop (call $notify (i32.const 64) (i32.const 5)))))
    (if (i32.eqz (global.get $on)) (then return))
    (i32.store (i32.const 0) (global.get $id))
    (global.set $id (i32.add (global.get $id) (i32.const 1)))
    (if (i32.eq (i32.shr_u (call $call (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 16) (i32.const 16))
          (i32.const 24)) (i32.const 0x45))
      (then (global.set $fine (i32.add (global.get $fine) (i32.const 1))))
      (else (global.set $failed (i32.add (global.get $failed) (i32.const 1))))))
  ${handler('switch', `(global.set $on (i32.load8_u (local.get $p))) (i32.const ${word(2.04) | 0})`)}
  ${handler('pulse', `(i32.store (local.get $r) (global.get $pulse)) (i32.const ${word(2.05, 4) | 0})`)}
  ${handler(
    'get',
    `(i32.store (local.get $r) (global.get $fine)) (i32.store offset=4 (local.get $r) (global.get $failed))
     (i32.const ${word(2.05, 8) | 0})`,
  )}`;
const callerEntry = (pulse: boolean): ModuleEntry => ({
  name: pulse ? 'caller' : 'other-caller',
  wasm: 'caller.wasm',
  version: '1.0.0',
  stack: 2048,
  memory: { max: 4096 },
  eventDeadline: '8s',
  provides: [
    { method: 'GET', path: pulse ? '/pulse' : '/other-pulse', handler: 'pulse', observable: true, contract: four },
    { method: 'GET', path: pulse ? '/caller' : '/other-caller', handler: 'get', contract: four },
    {
      method: 'PUT',
      path: pulse ? '/caller' : '/other-caller',
      handler: 'switch',
      contract: { request: { type: 'bytes', min: 1, max: 1 } },
    },
  ],
  requires: [{ path: '/count', methods: ['POST'], external: true, timeout: '7500ms' }],
});
const four = { response: { type: 'bytes', max: 8 }, deadline: '20ms' } as const;

export interface Firmware {
  readonly linked: LinkedImage;
  readonly image: Uint8Array;
  readonly description: FirmwareDescription;
}

/** An image with slots; `first`: its module provides /pulse. */
export async function buildFirmware(first: boolean, slotRam = 20 * 1024, slots = 1): Promise<Firmware> {
  const file = {
    name: first ? 'first' : 'second',
    version: '1.0.0',
    modules: [callerEntry(first)],
    slots: Array.from({ length: slots }, (_, i) => ({ name: `slot${i}`, pages: 1, ram: slotRam })),
  };
  const { name } = file.modules[0]!;
  const bytes = await wat(`(module ${CALLER.replace('"pulse"', first ? '"pulse"' : '"other"')})`);
  const publicKey = rawPublicKey(createPublicKey(SIGNER));
  const loaded = loadManifest(Buffer.from(JSON.stringify(file)), 'things.json');
  const {
    linked,
    image,
    slots: places,
  } = buildThings(loaded, new Map([[name, { bytes, file: 'caller.wasm' }]]), {
    board: ESP32,
    compile: {},
    publicKey,
  });
  const elf = writeElf(linked, firmwareNotes(loaded.app, linked, places, publicKey));
  return { image, description: readFirmware(elf, 'app.elf'), linked };
}

export interface Counts {
  readonly calls: number;
  readonly twice: number;
  readonly ticks: number;
  readonly notes: number;
}

export class Fleet {
  readonly registry = new EmbeddedRegistry(null);
  readonly router = new Router({ registry: this.registry, timeoutMs: 20_000 });
  readonly edge: EdgePlace;
  readonly boards: Board[] = [];
  readonly devices: Device[] = [];
  readonly log: string[] = [];
  /** Calls by the edge that were answered, and that were not. */
  fine = 0;
  readonly failed: string[] = [];
  private nextId = 1;
  private calling: Promise<void>[] = [];
  private wanted = false;

  constructor(
    readonly wasm: Uint8Array,
    private readonly compiler = new SlotCompiler(null),
  ) {
    this.edge = new EdgePlace({
      name: 'edge:e',
      elsewhere: (thing, request) => this.router.request(thing, request),
      observeElsewhere: (thing, uri, changed) => this.router.observe(thing, uri, changed),
      slackMs: 5000,
    });
    this.router.connect(this.edge);
  }

  /** Adds a board and waits until it is connected. */
  async add(firmware: Firmware, options: BoardOptions = {}): Promise<Device> {
    const name = `board${this.boards.length}`;
    const board = new Board(firmware.image, options);
    const device = new Device({
      name,
      thing: THING,
      open: board.open,
      firmware: firmware.description,
      key: SIGNER,
      compiler: this.compiler,
      packageOf: async () => this.wasm,
      checkMs: 500,
      retryMs: 20,
      events: {
        connected: (reset) => {
          // It may go again meanwhile.
          this.connected(device, reset).catch((error: unknown) => this.log.push(String(error)));
        },
        lost: (reason) => this.log.push(`${name} lost: ${reason}`),
        console: () => undefined,
        request: (thing, request) => this.router.request(thing ?? THING, request),
        observe: (thing, uri, changed) => this.router.observe(thing ?? THING, uri, changed),
      },
    });
    this.boards.push(board);
    this.devices.push(device);
    this.router.connect(device.place);
    device.start();
    await until(() => this.log.includes(`${name} connected`), `${name} does not connect`);
    return device;
  }

  /** Puts the counter at a place, from the beginning. */
  async place(at: ModulePlace): Promise<void> {
    const input = { thing: THING, wasm: this.wasm };
    const model = modelOfPackage(input);
    await at.prepare(input, 1);
    const hash = createHash('sha256').update(this.wasm).digest('hex');
    const placement: Placement = {
      thing: THING,
      module: COUNTER,
      version: model.version,
      hash,
      place: at.name,
      epoch: 1,
      services: serviceEntries(model),
    };
    await this.registry.put(placement, 0);
    await at.activate(THING, COUNTER, 1, null);
  }

  get at(): string {
    return this.registry.placement(THING, COUNTER)!.value.place;
  }
  placeOf(name: string): ModulePlace {
    return [this.edge, ...this.devices.map(({ place }) => place)].find((place) => place.name === name)!;
  }

  move(to: ModulePlace, more: Partial<MigrationOptions> = {}): Promise<MigrationReport> {
    const from = this.placeOf(this.at);
    return migrate({ registry: this.registry, from, to, input: { thing: THING, wasm: this.wasm }, ...more });
  }

  async counts(): Promise<Counts> {
    const { code, payload } = await this.ask(Method.Get, '/count');
    if (code !== ResponseCode.Content) throw new Error(`GET /count: ${code.toString(16)}`);
    const [calls, twice, ticks, notes] = [0, 4, 8, 12].map((at) => Buffer.from(payload).readUInt32LE(at));
    return { calls: calls!, twice: twice!, ticks: ticks!, notes: notes! };
  }

  /** Calls that the module on a board has made: answered, failed. */
  async boardCounts(path = '/caller'): Promise<readonly [number, number]> {
    const { payload } = await this.ask(Method.Get, path);
    return [Buffer.from(payload).readUInt32LE(0), Buffer.from(payload).readUInt32LE(4)];
  }
  async boardCalls(on: boolean, path = '/caller'): Promise<void> {
    await this.ask(Method.Put, path, Uint8Array.of(on ? 1 : 0));
  }

  /** Callers at the edge, each one call after the other. */
  startCalling(callers = 2): void {
    this.wanted = true;
    this.calling = Array.from({ length: callers }, () => this.caller());
  }
  async stopCalling(): Promise<void> {
    this.wanted = false;
    await Promise.all(this.calling);
  }

  /** Places where the counter runs, as boards and edge say themselves. */
  async running(): Promise<string[]> {
    const there = (await this.edge.modules()).filter(({ state }) => state === 'running').map(() => this.edge.name);
    for (const { place } of this.devices) {
      const counter = (await place.api.modules()).find(({ name }) => name === COUNTER);
      if (counter !== undefined && !counter.held && counter.state !== 'stopped') there.push(place.name);
    }
    return there;
  }

  /** A device is not connected. */
  isAway(): boolean {
    return this.devices.some((device) => !device.isConnected);
  }

  async close(): Promise<void> {
    this.wanted = false;
    await Promise.all(this.devices.map((device) => device.close()));
    for (const board of this.boards) board.stop();
    await this.edge.close();
    this.router.close();
  }

  /** A request by somebody at the edge. */
  async ask(method: number, uri: string, payload: Uint8Array = new Uint8Array(0)) {
    return this.router.request(THING, { method, uri, payload, caller: 'user:test', capacity: 64 });
  }

  private async caller(): Promise<void> {
    while (this.wanted) {
      const payload = Buffer.alloc(4);
      payload.writeUInt32LE(this.nextId++);
      const { code } = await this.ask(Method.Post, '/count', payload);
      if (code === ResponseCode.Content) this.fine++;
      else this.failed.push(code.toString(16));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  private async connected(device: Device, reset: boolean): Promise<void> {
    for (const { thing, module, version, services, epoch } of await device.registrations()) {
      const stored = this.registry.placement(thing, module);
      if (epoch !== null) continue;
      const { name: place } = device.place;
      const value = { thing, module, version, hash: '', place, epoch: (stored?.value.epoch ?? 0) + 1, services };
      await this.registry.put(value, stored?.revision ?? 0);
    }
    this.log.push(...(await recover(device.place, this.registry)));
    const name = device.place.name.replace('device:', '');
    this.log.push(`${name} ${reset ? 'has been reset' : 'connected'}`);
  }
}

/** Waits for a condition, for as long as a loaded machine may need. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
  ms = 60_000,
): Promise<void> {
  const end = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(typeof what === 'string' ? what : what());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
