// The devices of an edge in the registry: announced when they come, their services routed, withdrawn when they go. Takes
// streams; knows no line and no message.
import type { Duplex } from 'node:stream';
import { Method } from '../../compiler/abi/os-layout.js';
import { DeviceLink } from '../device/device-link.js';
import type { FleetEvents } from '../fleet/events.js';
import type { PlaceLink, Registry, ServiceEntry } from '../fleet/types.js';
import { parseLinks } from '../imc/link-format.js';
import type { Router } from '../router/router.js';
import { LineSplitter } from './line-splitter.js';

export interface DevicesOptions {
  /** Name of the edge. */
  readonly edge: string;
  readonly registry: Registry;
  readonly router: Router;
  readonly events: FleetEvents;
}

/** Pseudo-module that stands for all services of a device. */
const DEVICE_MODULE = 'device';
const WELL_KNOWN = '/.well-known/core';

export class Devices {
  private readonly links = new Map<string, DeviceLink>();
  private readonly lines: LineSplitter;

  constructor(private readonly options: DevicesOptions) {
    this.lines = new LineSplitter((device, text) => {
      const place = `device:${device}`;
      options.events.publish({ type: 'log', time: Date.now(), place, thing: null, module: null, text });
    });
  }

  /** Attaches a device that speaks CoAP in slipmux frames; its services are those of the thing of its name. */
  async attach(name: string, stream: Duplex): Promise<void> {
    const { router, registry, edge } = this.options;
    const link = new DeviceLink(`device:${name}`, stream, {
      console: (text) => this.lines.push(name, text),
      closed: () => void this.detach(name, link),
      request: (thing, request) => router.request(thing ?? name, request),
    });
    this.links.set(name, link);
    const answer = await link.send({ method: Method.Get, uri: WELL_KNOWN, payload: new Uint8Array(0) });
    const services = parseLinks(Buffer.from(answer.payload).toString()).flatMap(
      ({ path, attributes }): ServiceEntry[] =>
        Object.values(Method).map((method) => {
          const observable = method === Method.Get && /;obs(?:;|$)/.test(attributes);
          return { method, path, attributes: method === Method.Get ? attributes : '', observable };
        }),
    );
    const stored = registry.placement(name, DEVICE_MODULE);
    const epoch = (stored?.value.epoch ?? 0) + 1;
    const place = link.name;
    await registry.put(
      { thing: name, module: DEVICE_MODULE, version: '', hash: '', place, epoch, services },
      stored?.revision ?? 0,
    );
    await registry.announce({ name: place, kind: 'device', edge, details: {} });
    router.connect(link);
  }

  /** The way to a device of this edge, by the name of its place. */
  link(place: string): PlaceLink | null {
    return [...this.links.values()].find(({ name }) => name === place) ?? null;
  }

  close(): void {
    for (const link of this.links.values()) link.close();
  }

  private async detach(name: string, link: DeviceLink): Promise<void> {
    const { router, registry } = this.options;
    router.disconnect(link);
    if (this.links.get(name) === link) this.links.delete(name);
    await registry.withdraw(link.name);
  }
}
