// An edge as a place: hosts for the things that have modules here, reached by the router and by migration. Takes packages
// and requests; knows no registry and no network.
import { METHOD_NUMBERS } from '../../compiler/abi/os-layout.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { joinSections } from '../../manifest/load.js';
import type { ModuleModel } from '../../manifest/model.js';
import { readManifestSection } from '../../manifest/section.js';
import { EdgeHost } from '../host/edge-host.js';
import type { HostEvent, ModuleState, ModuleStatus, RunState, ServiceRequest } from '../host/types.js';
import type { Answer } from '../worker/protocol.js';
import { RecentAnswers } from './recent-answers.js';
import {
  NOT_HERE,
  type ModulePackage,
  type ModulePlace,
  type PlaceAnswer,
  type PlaceLink,
  type ServiceEntry,
} from './types.js';

export interface EdgePlaceOptions {
  /** `edge:NAME`. */
  readonly name: string;
  /** Requests of modules here for what is not here. */
  readonly elsewhere: (thing: string, request: ServiceRequest) => Promise<Answer | null>;
  readonly onEvent?: (thing: string, event: HostEvent) => void;
  readonly slackMs?: number;
}

interface Resident {
  readonly thing: string;
  readonly model: ModuleModel;
  readonly wasm: Uint8Array;
  epoch: number;
  active: boolean;
}

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
  private readonly residents = new Map<string, Resident>();
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
    const model = modelOfPackage(input);
    const key = keyOf(input.thing, model.name);
    const old = this.residents.get(key);
    if (old?.active) throw new Error(`${model.name} of ${input.thing} runs on ${this.name} already`);
    this.residents.set(key, { thing: input.thing, model, wasm: input.wasm, epoch, active: false });
  }

  async activate(thing: string, module: string, epoch: number, state: ModuleState | null): Promise<void> {
    const resident = this.residents.get(keyOf(thing, module));
    if (resident === undefined) throw new Error(`${module} of ${thing} is not prepared on ${this.name}`);
    resident.epoch = epoch;
    if (resident.active) return;
    resident.active = true;
    const { model, wasm } = resident;
    const started = await this.hostOf(thing).add({ model, wasm, ...(state === null ? {} : { state }) });
    if (!started && state !== null) {
      await this.discard(thing, module);
      throw new Error(`the state of ${module} does not fit the module`);
    }
  }

  async freeze(thing: string, module: string): Promise<ModuleState> {
    const state = await this.hosts.get(thing)?.freeze(module);
    if (!state) throw new Error(`${module} of ${thing} does not run on ${this.name}, or holds what cannot travel`);
    return state;
  }

  async release(thing: string, module: string): Promise<void> {
    this.hosts.get(thing)?.release(module);
  }

  async discard(thing: string, module: string): Promise<void> {
    const resident = this.residents.get(keyOf(thing, module));
    this.residents.delete(keyOf(thing, module));
    if (resident?.active) await this.hosts.get(thing)?.remove(module, true);
  }

  async modules(): Promise<readonly { thing: string; module: string; epoch: number; state: RunState }[]> {
    return [...this.residents.values()].map(({ thing, model, epoch }) => {
      const status = this.statusOf(thing).find(({ name }) => name === model.name);
      return { thing, module: model.name, epoch, state: status?.state ?? 'stopped' };
    });
  }

  statusOf(thing: string): ModuleStatus[] {
    return this.hosts.get(thing)?.status() ?? [];
  }

  async close(): Promise<void> {
    await Promise.all([...this.hosts.values()].map((host) => host.close()));
    this.hosts.clear();
    this.residents.clear();
  }

  private hostOf(thing: string): EdgeHost {
    let host = this.hosts.get(thing);
    if (host === undefined) {
      const { name, elsewhere, onEvent, slackMs } = this.options;
      host = new EdgeHost({
        name,
        elsewhere: (request) => elsewhere(thing, request),
        ...(onEvent === undefined ? {} : { onEvent: (event: HostEvent) => onEvent(thing, event) }),
        ...(slackMs === undefined ? {} : { slackMs }),
      });
      this.hosts.set(thing, host);
    }
    return host;
  }
}
