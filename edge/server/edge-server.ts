// One edge, complete: the place that runs modules, registry, router, and the gateways in front. Takes options and
// packages; gives an object that the command line and tests drive. Knows no terminal.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Server as CoapServer } from 'coap';
import type { Duplex } from 'node:stream';
import { join } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import { Method } from '../../compiler/abi/os-layout.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { ModuleModel } from '../../manifest/model.js';
import { DeviceLink } from '../device/device-link.js';
import { EdgePlace, modelOfPackage, serviceEntries } from '../fleet/edge-place.js';
import type { ModulePackage, Placement, Registry, ServiceEntry } from '../fleet/types.js';
import { startCoapGateway } from '../gateway/coap.js';
import { addHttpGateway } from '../gateway/http.js';
import type { HostEvent } from '../host/types.js';
import { parseLinks } from '../imc/link-format.js';
import { EmbeddedRegistry } from '../registry/embedded.js';
import { Router } from '../router/router.js';
import { addManagement } from './management.js';

export interface EdgeServerOptions {
  /** Lower-case letters, digits, hyphens. */
  readonly name: string;
  /** Registry and packages are kept here; null: nothing survives. */
  readonly dataDirectory: string | null;
  /** Ports; null: not served. 0: any free one. */
  readonly httpPort: number | null;
  readonly coapPort: number | null;
  /** Address to listen on; default 127.0.0.1. */
  readonly address?: string;
  readonly onEvent?: (thing: string, event: HostEvent) => void;
  readonly onDeviceText?: (device: string, text: Uint8Array) => void;
}

/** Pseudo-module that stands for all services of a device. */
const DEVICE_MODULE = 'device';
const WELL_KNOWN = '/.well-known/core';

export class EdgeServer {
  readonly registry: Registry;
  readonly router: Router;
  readonly place: EdgePlace;
  private readonly models = new Map<string, ModuleModel>();
  private readonly devices = new Map<string, DeviceLink>();
  private http: FastifyInstance | null = null;
  private coap: CoapServer | null = null;

  constructor(private readonly options: EdgeServerOptions) {
    const { name, dataDirectory, onEvent } = options;
    this.registry = new EmbeddedRegistry(dataDirectory === null ? null : join(dataDirectory, 'registry.jsonl'));
    this.router = new Router({ registry: this.registry });
    this.place = new EdgePlace({
      name: `edge:${name}`,
      elsewhere: (thing, request) => this.router.request(thing, request),
      ...(onEvent === undefined ? {} : { onEvent }),
    });
    this.router.connect(this.place);
  }

  /** Opens the ports and starts what ran here before. */
  async start(): Promise<void> {
    const { name, address = '127.0.0.1', httpPort, coapPort } = this.options;
    await this.registry.announce({ name: this.place.name, kind: 'edge', edge: name, details: {} });
    await this.restore();
    if (httpPort !== null) {
      this.http = fastify();
      addHttpGateway(this.http, { router: this.router, directory: this });
      addManagement(this.http, this);
      await this.http.listen({ port: httpPort, host: address });
    }
    if (coapPort !== null) {
      const observe = this.observe.bind(this);
      this.coap = await startCoapGateway({ router: this.router, observe, port: coapPort, address });
    }
  }

  /** Base URL of the HTTP side, once started. */
  get url(): string | null {
    return this.http?.listeningOrigin ?? null;
  }

  modelOf(thing: string, module: string): ModuleModel | null {
    return this.models.get(`${thing}/${module}`) ?? null;
  }

  /**
   * Puts a module of a thing on this edge, in the place of an older one.
   * @throws DiagnosticError for a wrong module or manifest
   */
  async deploy(input: ModulePackage): Promise<Placement> {
    const model = modelOfPackage(input);
    const { thing, wasm } = input;
    const { name: module, version } = model;
    const stored = this.registry.placement(thing, module);
    if (stored !== null && stored.value.place !== this.place.name)
      throw new DiagnosticError('W901', `${module} of ${thing} runs at ${stored.value.place}: migrate it instead`);
    const epoch = (stored?.value.epoch ?? 0) + 1;
    const hash = createHash('sha256').update(wasm).digest('hex');
    const services = serviceEntries(model);
    const placement: Placement = { thing, module, version, hash, place: this.place.name, epoch, services };
    await this.place.discard(thing, module);
    await this.place.prepare(input, epoch);
    this.keep(input, model);
    if ((await this.registry.put(placement, stored?.revision ?? 0)) === null) {
      await this.place.discard(thing, module);
      throw new DiagnosticError('W901', `${module} of ${thing} was changed by somebody else meanwhile`);
    }
    await this.place.activate(thing, module, epoch, null);
    return placement;
  }

  /** Stops a module and forgets it. False if it is not here. */
  async remove(thing: string, module: string): Promise<boolean> {
    const stored = this.registry.placement(thing, module);
    if (stored === null || stored.value.place !== this.place.name) return false;
    await this.registry.remove(thing, module, stored.revision);
    await this.place.discard(thing, module);
    this.models.delete(`${thing}/${module}`);
    if (this.options.dataDirectory !== null) rmSync(this.packageFile(thing, module), { force: true });
    return true;
  }

  /** Attaches a device that speaks CoAP in slipmux frames; its services are those of the thing of its name. */
  async attach(name: string, stream: Duplex): Promise<void> {
    const link = new DeviceLink(`device:${name}`, stream, {
      console: (text) => this.options.onDeviceText?.(name, text),
      closed: () => void this.detach(name, link),
      request: (thing, request) =>
        this.router.request(thing ?? name, { ...request, caller: `${request.caller}@${name}` }),
    });
    this.devices.set(name, link);
    const answer = await link.send({ method: Method.Get, uri: WELL_KNOWN, payload: new Uint8Array(0) });
    const services = parseLinks(Buffer.from(answer.payload).toString()).flatMap(
      ({ path, attributes }): ServiceEntry[] =>
        Object.values(Method).map((method) => {
          const observable = method === Method.Get && /;obs(?:;|$)/.test(attributes);
          return { method, path, attributes: method === Method.Get ? attributes : '', observable };
        }),
    );
    const stored = this.registry.placement(name, DEVICE_MODULE);
    const epoch = (stored?.value.epoch ?? 0) + 1;
    const place = link.name;
    await this.registry.put(
      { thing: name, module: DEVICE_MODULE, version: '', hash: '', place, epoch, services },
      stored?.revision ?? 0,
    );
    await this.registry.announce({ name: place, kind: 'device', edge: this.options.name, details: {} });
    this.router.connect(link);
  }

  async close(): Promise<void> {
    for (const link of this.devices.values()) link.close();
    await this.http?.close();
    this.coap?.close();
    await this.place.close();
    this.router.close();
    await this.registry.close();
  }

  private async detach(name: string, link: DeviceLink): Promise<void> {
    this.router.disconnect(link);
    if (this.devices.get(name) === link) this.devices.delete(name);
    await this.registry.withdraw(link.name);
  }

  private observe(thing: string, uri: string, changed: () => void): (() => void) | null {
    const here = this.place.observe(thing, uri, changed);
    if (here !== null) return here;
    const target = this.router.find(thing, uri, Method.Get);
    if (target === null || target === 'method' || !target.service.observable) return null;
    const link = [...this.devices.values()].find((entry) => entry.name === target.placement.place);
    if (link === undefined) return null;
    return link.observe(thing, uri, changed);
  }

  private keep(input: ModulePackage, model: ModuleModel): void {
    const { thing, wasm } = input;
    this.models.set(`${thing}/${model.name}`, model);
    if (this.options.dataDirectory === null) return;
    const file = this.packageFile(thing, model.name);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(`${file}.new`, wasm);
    renameSync(`${file}.new`, file);
  }

  private packageFile(thing: string, module: string): string {
    return join(this.options.dataDirectory!, 'packages', thing, `${module}.wasm`);
  }

  /** Starts the modules that the registry says are here. */
  private async restore(): Promise<void> {
    for (const { thing, module, place, epoch } of [...this.registry.placements()]) {
      if (place !== this.place.name || this.options.dataDirectory === null) continue;
      const folder = join(this.options.dataDirectory, 'packages', thing);
      if (!readdirSync(folder).includes(`${module}.wasm`)) continue;
      const input = { thing, wasm: new Uint8Array(readFileSync(join(folder, `${module}.wasm`))) };
      await this.place.prepare(input, epoch);
      this.models.set(`${thing}/${module}`, modelOfPackage(input));
      await this.place.activate(thing, module, epoch, null);
    }
  }
}
