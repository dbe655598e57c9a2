// The devices of an edge in the fleet: announced while they answer, their modules registered, what a move has left behind
// settled. Takes devices as the command line names them; knows no line and no message.
import type { KeyObject } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { Device, DEVICE_MODULE, type Registration } from '../device/device.js';
import type { SlotCompiler } from '../device/slot-compiler.js';
import { embedManifest } from '../../manifest/section.js';
import type { FirmwareDescription } from '../../manifest/firmware.js';
import type { FleetEvents } from '../fleet/events.js';
import { messageOf } from '../fleet/message-of.js';
import { recover } from '../fleet/migrate.js';
import type { PackageStore } from '../fleet/packages.js';
import type { PlaceLink, Placement, Registry } from '../fleet/types.js';
import type { PlaceDirectory } from '../router/places.js';
import type { Router } from '../router/router.js';
import { DeviceTelemetry } from './device-telemetry.js';
import type { FaultExplainer } from './faults.js';

export interface AttachedDevice {
  readonly name: string;
  /** Whose modules it runs. */
  readonly thing: string;
  /** How it is reached, for people. */
  readonly address: string;
  readonly open: () => Promise<Duplex>;
  /** Null: modules cannot move to it. */
  readonly firmware: FirmwareDescription | null;
  /** Private key of who may sign packages for it. */
  readonly key: KeyObject | null;
}

export interface DevicesOptions {
  /** Name of the edge. */
  readonly edge: string;
  readonly registry: Registry;
  readonly router: Router;
  readonly places: PlaceDirectory;
  readonly packages: PackageStore;
  readonly events: FleetEvents;
  readonly faults: FaultExplainer;
  readonly compiler: SlotCompiler;
}

/** A WebAssembly module with nothing in it. */
const NO_CODE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

interface Attached {
  readonly spec: AttachedDevice;
  readonly device: Device;
  readonly telemetry: DeviceTelemetry;
  /** What is done for it goes one after the other. */
  work: Promise<void>;
}

export class Devices {
  private readonly attached = new Map<string, Attached>();

  constructor(private readonly options: DevicesOptions) {}

  /** Opens the line and keeps it; does not wait for the device. */
  attach(spec: AttachedDevice): void {
    const { router, places, registry, packages, events, faults, compiler } = this.options;
    const place = `device:${spec.name}`;
    const device = new Device({
      ...spec,
      compiler,
      packageOf: async (thing, module) => packages.get(registry.placement(thing, module)?.value.hash ?? ''),
      events: {
        connected: () => this.then(place, (attached) => this.connected(attached)),
        lost: (reason) => this.then(place, () => this.lost(place, reason)),
        console: (bytes) => this.attached.get(place)?.telemetry.console(bytes),
        request: (thing, request) => router.request(thing ?? spec.thing, request),
        observe: (thing, uri, changed) => router.observe(thing ?? spec.thing, uri, changed),
      },
    });
    const telemetry = new DeviceTelemetry({ place, thing: spec.thing, device, registry, events, faults });
    this.attached.set(place, { spec, device, telemetry, work: Promise.resolve() });
    router.connect(device.place);
    places.add(device.place);
    device.start();
  }

  /** The way to a device of this edge, by the name of its place. */
  link(place: string): PlaceLink | null {
    return this.attached.get(place)?.device.place ?? null;
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.attached.values()].map(async (entry) => {
        entry.telemetry.stop();
        await entry.device.close();
        await entry.work;
        await this.options.registry.withdraw(`device:${entry.spec.name}`).catch(() => undefined);
      }),
    );
  }

  private then(place: string, run: (attached: Attached) => Promise<void>): void {
    const attached = this.attached.get(place)!;
    attached.work = attached.work
      .then(() => run(attached))
      .catch((error: unknown) => this.tell(place, messageOf(error)));
  }

  private async connected({ spec, device, telemetry }: Attached): Promise<void> {
    const { registry, edge } = this.options;
    const { name: place } = device.place;
    for (const registration of await device.registrations()) await this.register(place, registration);
    const image = await device.place.api.image();
    const { thing, address } = spec;
    const details = { thing, address, image: `${image.name} ${image.version}`.trim(), freeRam: image.freeRam };
    await registry.announce({ name: place, kind: 'device', edge, details });
    for (const text of await recover(device.place, registry, this.options.places)) this.tell(place, text);
    telemetry.start();
  }

  private async lost(place: string, reason: string): Promise<void> {
    this.attached.get(place)?.telemetry.stop();
    await this.options.registry.withdraw(place);
    this.tell(place, `is away: ${reason}`);
  }

  /** What is built in is where it is; what can move is where the registry says, if it says anything. */
  private async register(
    place: string,
    { thing, module, version, services, model, epoch }: Registration,
  ): Promise<void> {
    const { registry, packages } = this.options;
    const stored = registry.placement(thing, module);
    if (stored !== null && epoch !== null) return;
    const { value } = stored ?? {};
    if (value !== undefined && value.place !== place && module !== DEVICE_MODULE) {
      const other = value.hash === '' ? 'is also built into the image of' : 'is built in here, and also runs at';
      this.tell(place, `${module} of ${thing} ${other} ${value.place}`);
      // What somebody has put somewhere counts more than what an image brings along.
      if (value.hash !== '') return;
    }
    const isBuiltIn = model !== null && epoch === null && module !== DEVICE_MODULE;
    const manifest = isBuiltIn ? await packages.put(embedManifest(NO_CODE, model.travelling)) : null;
    const placement: Placement = {
      thing,
      module,
      version,
      hash: '',
      ...(manifest === null ? {} : { manifest }),
      place,
      epoch: epoch ?? (value?.epoch ?? 0) + 1,
      services,
    };
    const same = value?.place === place && value.version === version && value.manifest === placement.manifest;
    if (same && JSON.stringify(value.services) === JSON.stringify(services)) return;
    await registry.put(placement, stored?.revision ?? 0);
  }

  private tell(place: string, text: string): void {
    this.options.events.publish({ type: 'log', time: Date.now(), place, thing: null, module: null, text });
  }
}
