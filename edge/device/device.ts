// A device of an edge, for as long as the edge runs: opens its line, again and again if need be, notices when the device is
// reset or gone, and tells what it offers. Takes a way to open the line; gives a place. Knows no registry.
import type { KeyObject } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { FirmwareDescription } from '../../manifest/firmware.js';
import type { ModuleModel } from '../../manifest/model.js';
import { serviceEntries } from '../fleet/edge-place.js';
import { messageOf } from '../fleet/message-of.js';
import type { ServiceEntry } from '../fleet/types.js';
import type { ServiceRequest } from '../host/types.js';
import { parseLinks } from '../imc/link-format.js';
import type { Answer } from '../worker/protocol.js';
import { DeviceLink } from './device-link.js';
import { DevicePlace } from './device-place.js';
import type { SlotCompiler } from './slot-compiler.js';
import { DEVICE_MODULE, servicesOf, SYSTEM_MODEL } from './system-services.js';

export interface DeviceEvents {
  /** The device answers and is what it should be; `reset`: it has begun anew on the same line. */
  connected(reset: boolean): void;
  /** It does not answer, or the line has gone. */
  lost(reason: string): void;
  console(text: Uint8Array): void;
  /** A request of a module on the device; `thing` null: its own. The caller is `MODULE@THING`. */
  request(thing: string | null, request: ServiceRequest): Promise<Answer>;
  /** Null: not there, or not observable. */
  observe(thing: string | null, uri: string, changed: () => void): (() => void) | null;
}

export interface DeviceOptions {
  readonly name: string;
  readonly thing: string;
  readonly open: () => Promise<Duplex>;
  readonly firmware: FirmwareDescription | null;
  readonly key: KeyObject | null;
  readonly compiler: SlotCompiler;
  readonly packageOf: (thing: string, module: string) => Promise<Uint8Array | null>;
  readonly events: DeviceEvents;
  /** Between two looks at whether the device is still there and the same; default 5 s. */
  readonly checkMs?: number;
  /** First pause before the line is opened again; doubles up to twenty times that. Default 250 ms. */
  readonly retryMs?: number;
}

/** What a device offers: the content of a placement. */
export interface Registration {
  readonly thing: string;
  readonly module: string;
  readonly version: string;
  readonly services: readonly ServiceEntry[];
  /** Its manifest entry: the types of payloads. */
  readonly model: ModuleModel;
  /** In a slot: it can move away. Null: it cannot. */
  readonly epoch: number | null;
}

export { DEVICE_MODULE };
const DEFAULT_CHECK_MS = 5000;
const DEFAULT_RETRY_MS = 250;
const MOST_BACKOFF = 20;
/** A device has far fewer services; one that lies does not fill the registry. */
const MOST_LINKS = 256;
/** After console text a device is looked at early, but not more often than this. */
const CONSOLE_CHECK_MS = 1000;

export class Device {
  readonly place: DevicePlace;
  private link: DeviceLink | null = null;
  private connected = false;
  private closed = false;
  private wake: (() => void) | null = null;
  private running: Promise<void> | null = null;
  private lastCheck = 0;

  constructor(private readonly options: DeviceOptions) {
    this.place = new DevicePlace(options);
  }

  get isConnected(): boolean {
    return this.connected;
  }

  /** Opens the line and keeps it; does not wait for it. */
  start(): void {
    this.running ??= this.keep();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.link?.close();
    this.wake?.();
    await this.running;
  }

  /** Everything that is to be in the registry while the device is connected. */
  async registrations(): Promise<Registration[]> {
    const { thing, name, firmware } = this.options;
    const list: Registration[] = [];
    const add = (model: ModuleModel, epoch: number | null): void => {
      list.push({ thing, module: model.name, version: model.version, services: serviceEntries(model), model, epoch });
    };
    const present = await this.place.api.modules();
    const isThere = (model: ModuleModel): boolean =>
      present.some((module) => module.name === model.name && module.version === model.version);
    for (const model of firmware?.modules ?? []) if (isThere(model)) add(model, null);
    for (const { content, epoch } of this.place.movable()) if (content !== null) add(content.model, epoch);
    // What is left: drivers, system services, and modules of which nothing is known.
    const claimed = new Set(list.flatMap(({ services }) => services.map(({ path }) => path)));
    const { payload } = await this.place.api.get('/.well-known/core');
    const listed = parseLinks(payload.toString()).slice(0, MOST_LINKS);
    const links = listed.filter(({ path }) => !claimed.has(path));
    const model = SYSTEM_MODEL;
    list.push({ thing: name, module: DEVICE_MODULE, version: '', services: servicesOf(links), model, epoch: null });
    return list;
  }

  private async keep(): Promise<void> {
    const { retryMs = DEFAULT_RETRY_MS, open } = this.options;
    let pause = retryMs;
    while (!this.closed) {
      let stream: Duplex | null = null;
      try {
        stream = await open();
      } catch (error) {
        this.lost(messageOf(error));
      }
      if (stream !== null) {
        if (await this.use(stream)) pause = retryMs;
      }
      if (this.closed) return;
      await this.sleep(pause);
      pause = Math.min(2 * pause, MOST_BACKOFF * retryMs);
    }
  }

  /** Until the line breaks. True if the device has answered on it. */
  private async use(stream: Duplex): Promise<boolean> {
    const { events, name, thing, checkMs = DEFAULT_CHECK_MS, retryMs = DEFAULT_RETRY_MS } = this.options;
    const link = new DeviceLink(
      `device:${name}`,
      stream,
      {
        console: (text) => {
          events.console(text);
          // Perhaps it says that it has begun anew.
          if (performance.now() - this.lastCheck > CONSOLE_CHECK_MS) this.wake?.();
        },
        closed: () => this.wake?.(),
        request: (to, request) => events.request(to, request),
        observe: (to, uri, changed) => events.observe(to, uri, changed),
      },
      thing,
    );
    this.link = link;
    if (this.closed) link.close();
    let answered = false;
    let pause = retryMs;
    let heard = 0;
    while (!link.isDown) {
      this.lastCheck = performance.now();
      try {
        if (!this.connected) {
          await this.place.attach(link);
          this.connected = true;
          events.connected(false);
        } else if (await this.place.hasReset()) {
          link.forget();
          await this.place.attach(link);
          events.connected(true);
        }
        answered = true;
        pause = checkMs;
      } catch (error) {
        // A line that is full is not one that is dead.
        const isSilent = link.counts.good === heard;
        if (!link.isDown && (isSilent || !this.connected)) this.lost(messageOf(error));
        pause = Math.min(2 * pause, checkMs);
      }
      heard = link.counts.good;
      if (!link.isDown) await this.sleep(pause);
    }
    this.place.detach(link);
    this.link = null;
    this.lost('the line is down');
    return answered;
  }

  private lost(reason: string): void {
    if (!this.connected) return;
    this.connected = false;
    this.options.events.lost(reason);
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.wake = null;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.wake = done;
    });
  }
}
