// Places of other edges as migration sees them, and the other side of it. Takes the client, local places and the store of
// packages; knows no kind of place.
import { Unsettled, type ModulePackage, type ModulePlace, type RunAction } from '../fleet/types.js';
import type { PackageStore } from '../fleet/packages.js';
import type { ModuleState } from '../host/types.js';
import { Unreachable } from '../router/unreachable.js';
import { Unanswered, type EdgeClient } from './client.js';
import { decodeState, encodeState } from './state-codec.js';

type Step = Exclude<keyof ModulePlace, 'name' | 'kind'>;
/** [place, step, arguments] */
type StepArguments = readonly [string, Step, readonly unknown[]];

/** Compiling and uploading to a device over a slow line takes minutes. */
const PREPARE_MS = 10 * 60_000;
const STATE_MS = 5 * 60_000;
const STEP_MS = 60_000;

export interface RemotePlaceOptions {
  readonly client: EdgeClient;
  /** Who has a place now. */
  readonly holder: (place: string) => { readonly edge: string; readonly session: string } | null;
  readonly packages: PackageStore;
}

export class RemotePlace implements ModulePlace {
  readonly precopy?: NonNullable<ModulePlace['precopy']>;
  readonly preload?: NonNullable<ModulePlace['preload']>;

  constructor(
    readonly name: string,
    readonly kind: ModulePlace['kind'],
    private readonly options: RemotePlaceOptions,
  ) {
    // An edge is quick enough without.
    if (kind === 'edge') return;
    this.precopy = async (thing, module) => {
      const state = (await this.ask('precopy', [thing, module], STATE_MS)) as Uint8Array | null;
      return state === null ? null : decodeState(state);
    };
    this.preload = async (thing, module, state) => {
      await this.ask('preload', [thing, module, encodeState(state)], STATE_MS);
    };
  }

  /** The package goes by its hash: what is there already does not travel. */
  async prepare({ thing, wasm }: ModulePackage, epoch: number): Promise<void> {
    const hash = await this.options.packages.put(wasm);
    await this.ask('prepare', [thing, hash, epoch], PREPARE_MS);
  }

  async activate(thing: string, module: string, epoch: number, state: ModuleState | null): Promise<void> {
    const args = [thing, module, epoch, state === null ? null : encodeState(state)];
    try {
      await this.ask('activate', args, STATE_MS);
    } catch (error) {
      if (error instanceof Unanswered) throw new Unsettled(error.message);
      throw error;
    }
  }

  async freeze(thing: string, module: string): Promise<ModuleState> {
    return decodeState((await this.ask('freeze', [thing, module], STATE_MS)) as Uint8Array);
  }

  async release(thing: string, module: string): Promise<void> {
    await this.ask('release', [thing, module], STEP_MS);
  }

  async discard(thing: string, module: string): Promise<void> {
    await this.ask('discard', [thing, module], STEP_MS);
  }

  async run(thing: string, module: string, action: RunAction): Promise<void> {
    await this.ask('run', [thing, module, action], STEP_MS);
  }

  async details(): Promise<Readonly<Record<string, unknown>>> {
    return (await this.ask('details', [], STEP_MS)) as Readonly<Record<string, unknown>>;
  }

  async modules(): ReturnType<ModulePlace['modules']> {
    return (await this.ask('modules', [], STEP_MS)) as Awaited<ReturnType<ModulePlace['modules']>>;
  }

  private ask(step: Step, args: readonly unknown[], withinMs: number): Promise<unknown> {
    const holder = this.options.holder(this.name);
    if (holder === null) return Promise.reject(new Unreachable(`${this.name} is not there`));
    const all: StepArguments = [this.name, step, args];
    return this.options.client.ask(holder.edge, holder.session, 'place', all, { withinMs });
  }
}

/** Runs a step for another edge at a place here. */
export async function serveStep(
  find: (name: string) => ModulePlace | null,
  packages: PackageStore,
  [name, step, args]: StepArguments,
): Promise<unknown> {
  const place = find(name);
  if (place === null) throw new Unreachable(`${name} is not here`);
  const [thing, module, third, fourth] = args as readonly [string, string, unknown, unknown];
  switch (step) {
    case 'prepare': {
      const wasm = await packages.get(module);
      if (wasm === null) throw new Error(`the package ${module} is not in the store`);
      return place.prepare({ thing, wasm: new Uint8Array(wasm) }, third as number);
    }
    case 'precopy': {
      const state = (await place.precopy?.(thing, module)) ?? null;
      return state === null ? null : encodeState(state);
    }
    case 'preload':
      return place.preload?.(thing, module, decodeState(third as Uint8Array));
    case 'activate':
      return place.activate(thing, module, third as number, fourth === null ? null : decodeState(fourth as Uint8Array));
    case 'freeze':
      return encodeState(await place.freeze(thing, module));
    case 'release':
      return place.release(thing, module);
    case 'discard':
      return place.discard(thing, module);
    case 'run':
      return place.run(thing, module, third as RunAction);
    case 'details':
      return plain(await place.details());
    case 'modules':
      return plain(await place.modules());
    default:
      throw new Error(`no step ${String(step)}`);
  }
}

/** As JSON: no properties that are undefined. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;
