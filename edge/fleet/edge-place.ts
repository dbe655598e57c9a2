// An edge as a place: hosts for the things that have modules here, reached by the router and by migration. Takes packages
// and requests; knows no registry and no network.
import { availableParallelism, freemem, hostname, totalmem } from 'node:os';
import { METHOD_NUMBERS } from '../../compiler/abi/os-layout.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { joinSections } from '../../manifest/load.js';
import type { ModuleModel } from '../../manifest/model.js';
import { readManifestSection } from '../../manifest/section.js';
import { EdgeHost } from '../host/edge-host.js';
import { planModule } from '../host/plan.js';
import type { HostEvent, ModuleState, ModuleStatus, ServiceRequest } from '../host/types.js';
import type { Answer } from '../worker/protocol.js';
import { RecentAnswers } from './recent-answers.js';
import {
  NOT_HERE,
  type ModulePackage,
  type ModulePlace,
  type PlaceAnswer,
  type PlaceLink,
  type RunAction,
  type Residence,
  type ServiceEntry,
} from './types.js';

export interface EdgePlaceOptions {
  /** `edge:NAME`. */
  readonly name: string;
  /** Requests of modules here for what is not here. */
  readonly elsewhere: (thing: string, request: ServiceRequest) => Promise<Answer | null>;
  /** Changes of what modules here observe and is not here; null: there is no such service. */
  readonly observeElsewhere?: (thing: string, uri: string, changed: () => void) => (() => void) | null;
  readonly onEvent?: (thing: string, event: HostEvent) => void;
  readonly slackMs?: number;
}

/** A module that is here: prepared for a start, or started. */
interface Resident {
  readonly thing: string;
  readonly model: ModuleModel;
  readonly wasm: Uint8Array;
  readonly epoch: number;
  readonly since: number;
}

/**
 * How long a mover may leave a module frozen, or prepared and not started, before it counts as dead and `recover` settles
 * what it has left.
 */
export const FREEZE_LEASE_MS = 60_000;
const PREPARE_LEASE_MS = 600_000;

const keyOf = (thing: string, module: string): string => `${thing}/${module}`;

/**
 * The manifest entry that a module carries.
 * @throws DiagnosticError W814 if there is none, and those of a wrong one
 */
export function modelOfPackage({ wasm, thing }: ModulePackage): ModuleModel {
  const file = `${thing}'s module`;
  const section = readManifestSection(wasm, file);
  if (section === null) throw new DiagnosticError('W814', 'the module carries no manifest', { file });
  return joinSections([{ file, section }]).app.modules[0]!;
}

/** What the registry keeps of a module's services. */
export function serviceEntries({ provides }: ModuleModel): ServiceEntry[] {
  return provides.map(({ method, path, attributes, observable }) => {
    return { method: METHOD_NUMBERS[method], path, attributes, observable };
  });
}

export class EdgePlace implements PlaceLink, ModulePlace {
  readonly kind = 'edge';
  private readonly hosts = new Map<string, EdgeHost>();
  /** Started ones, whatever has become of them since. */
  private readonly residents = new Map<string, Resident>();
  /** Those that wait for `activate`; one of the same name may run meanwhile. */
  private readonly prepared = new Map<string, Resident>();
  /** Since when modules are frozen. */
  private readonly frozen = new Map<string, number>();
  private readonly recent = new RecentAnswers();

  constructor(private readonly options: EdgePlaceOptions) {}

  get name(): string {
    return this.options.name;
  }

  request(thing: string, request: ServiceRequest, id: string): Promise<PlaceAnswer> {
    return this.recent.once(id, async () => {
      const host = this.hosts.get(thing);
      return (await host?.requestHere(request)) ?? NOT_HERE;
    });
  }

  /** Calls `changed` after each notification; null if the service is not here or not observable. */
  observe(thing: string, uri: string, changed: () => void): (() => void) | null {
    return this.hosts.get(thing)?.observe(uri, changed) ?? null;
  }

  async prepare(input: ModulePackage, epoch: number): Promise<void> {
    const { thing, wasm } = input;
    const model = modelOfPackage(input);
    planModule(model, wasm);
    this.prepared.set(keyOf(thing, model.name), { thing, model, wasm, epoch, since: performance.now() });
  }

  /** A module of the same name that runs here is replaced; requests that wait for it go to the new one. */
  async activate(thing: string, module: string, epoch: number, state: ModuleState | null): Promise<void> {
    const key = keyOf(thing, module);
    const resident = this.prepared.get(key);
    if (resident === undefined) {
      if (this.residents.get(key)?.epoch === epoch) return;
      throw new Error(`${module} of ${thing} is not prepared on ${this.name}`);
    }
    const { model, wasm } = resident;
    const host = this.hostOf(thing);
    this.frozen.delete(key);
    await host.remove(module, true);
    const started = await host.add({ model, wasm, ...(state === null ? {} : { state }) });
    if (!started && state !== null) {
      await host.remove(module, true);
      throw new Error(`the state of ${module} does not fit the module`);
    }
    this.residents.set(key, { ...resident, epoch });
    this.prepared.delete(key);
  }

  async freeze(thing: string, module: string): Promise<ModuleState> {
    const state = await this.hosts.get(thing)?.freeze(module);
    if (!state) throw new Error(`${module} of ${thing} does not run on ${this.name}, or holds what cannot travel`);
    this.frozen.set(keyOf(thing, module), performance.now());
    return state;
  }

  async release(thing: string, module: string): Promise<void> {
    this.frozen.delete(keyOf(thing, module));
    this.hosts.get(thing)?.release(module);
  }

  /** What is prepared goes first; the one that runs only if nothing is. */
  async discard(thing: string, module: string): Promise<void> {
    const key = keyOf(thing, module);
    if (this.prepared.delete(key)) return;
    this.frozen.delete(key);
    if (this.residents.delete(key)) await this.hosts.get(thing)?.remove(module, true);
  }

  /** Starts, stops or restarts a module as its user wants. @throws if it is not here, or if it is moving away */
  async run(thing: string, module: string, action: RunAction): Promise<void> {
    const key = keyOf(thing, module);
    const host = this.hosts.get(thing);
    if (host === undefined || !this.residents.has(key)) throw new Error(`${module} of ${thing} is not on ${this.name}`);
    if (this.frozen.has(key)) throw new Error(`${module} of ${thing} is moving`);
    const state = host.status().find(({ name }) => name === module)?.state;
    if (action === 'stop') await host.halt(module);
    else if (action === 'restart' || state === 'stopped' || state === 'failed') await host.restart(module);
  }

  async modules(): Promise<readonly Residence[]> {
    const now = performance.now();
    const prepared = [...this.prepared.values()].map(({ thing, model, epoch, since }): Residence => {
      const abandoned = now - since > PREPARE_LEASE_MS;
      return { thing, module: model.name, epoch, state: 'stopped', held: 'prepared', abandoned };
    });
    const started = [...this.residents].map(([key, { thing, model, epoch }]): Residence => {
      const status = this.statusOf(thing).find(({ name }) => name === model.name);
      const entry = { thing, module: model.name, epoch, state: status?.state ?? 'stopped' };
      const since = this.frozen.get(key);
      return since === undefined ? entry : { ...entry, held: 'frozen', abandoned: now - since > FREEZE_LEASE_MS };
    });
    return [...prepared, ...started];
  }

  /** Machine and process, for the page. */
  async details(): Promise<Readonly<Record<string, unknown>>> {
    const { rss, heapUsed } = process.memoryUsage();
    return {
      host: hostname(),
      platform: `${process.platform} ${process.arch}`,
      node: process.version,
      processors: availableParallelism(),
      uptimeSeconds: Math.round(process.uptime()),
      processBytes: rss,
      heapBytes: heapUsed,
      freeBytes: freemem(),
      totalBytes: totalmem(),
    };
  }

  /** Things that have modules here. */
  things(): readonly string[] {
    return [...this.hosts.keys()];
  }

  statusOf(thing: string): ModuleStatus[] {
    return this.hosts.get(thing)?.status() ?? [];
  }

  async close(): Promise<void> {
    await Promise.all([...this.hosts.values()].map((host) => host.close()));
    this.hosts.clear();
    this.residents.clear();
    this.prepared.clear();
  }

  private hostOf(thing: string): EdgeHost {
    let host = this.hosts.get(thing);
    if (host === undefined) {
      const { name, elsewhere, observeElsewhere, onEvent, slackMs } = this.options;
      host = new EdgeHost({
        name,
        thing,
        elsewhere: (request) => elsewhere(thing, request),
        ...(observeElsewhere === undefined
          ? {}
          : { observeElsewhere: (uri: string, changed: () => void) => observeElsewhere(thing, uri, changed) }),
        ...(onEvent === undefined ? {} : { onEvent: (event: HostEvent) => onEvent(thing, event) }),
        ...(slackMs === undefined ? {} : { slackMs }),
      });
      this.hosts.set(thing, host);
    }
    return host;
  }
}
