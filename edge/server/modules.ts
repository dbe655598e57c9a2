// What users do with modules: deploying, starting and stopping, removing. Takes places and the registry; one change of a
// module at a time. Knows no connection and no kind of place beyond what a place says of itself.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { serviceEntries } from '../fleet/edge-place.js';
import { messageOf } from '../fleet/message-of.js';
import { packageHash, type PackageStore } from '../fleet/packages.js';
import type { ModulePackage, ModulePlace, Placement, Places, Registry, RunAction, Stored } from '../fleet/types.js';
import { checkPackage } from './checked-package.js';
import { HttpError } from './http-error.js';

export interface ModulesOptions {
  readonly registry: Registry;
  readonly packages: PackageStore;
  readonly places: Places;
  /** Where modules go that run nowhere yet. */
  readonly home: string;
}

export interface DeployRequest extends ModulePackage {
  /** Null: where it runs now, else this edge. */
  readonly place: string | null;
  /** Only finds out whether it could be done. */
  readonly dry?: boolean;
  readonly progress?: (fraction: number) => void;
}

export class Modules {
  private readonly busy = new Set<string>();

  constructor(private readonly options: ModulesOptions) {}

  /** @throws HttpError 404 */
  find(thing: string, module: string): Stored<Placement> {
    const stored = this.options.registry.placement(thing, module);
    if (stored === null) throw new HttpError(404, `there is no module "${module}" of a thing "${thing}"`);
    return stored;
  }

  /** @throws HttpError 404 if it is not there (now) */
  placeOf(name: string): ModulePlace {
    const place = this.options.places.find(name);
    if (place === null) throw new HttpError(404, `there is no place "${name}" now`);
    return place;
  }

  /** Runs one change of a module. @throws HttpError 409 while another one is at work */
  async exclusive<T>(thing: string, module: string, change: () => Promise<T>): Promise<T> {
    const key = `${thing}/${module}`;
    if (this.busy.has(key)) throw new HttpError(409, `${module} of ${thing} is being changed already`);
    this.busy.add(key);
    try {
      return await change();
    } finally {
      this.busy.delete(key);
    }
  }

  /**
   * Puts a module of a thing at a place, instead of an older one wherever that runs. An older one goes on until the new
   * one is there and checked.
   * @throws DiagnosticErrors for a wrong module or manifest, W901 if the place will not have it
   */
  async deploy(request: DeployRequest): Promise<Placement> {
    const model = checkPackage(request);
    const { thing, wasm, dry = false } = request;
    return this.exclusive(thing, model.name, async () => {
      const { registry, packages, home } = this.options;
      const { name: module, version } = model;
      const stored = registry.placement(thing, module);
      if (stored !== null && stored.value.hash === '' && stored.value.place.startsWith('device:'))
        throw new DiagnosticError('W901', `${module} of ${thing} is part of the image of ${stored.value.place}`);
      const name = request.place ?? stored?.value.place ?? home;
      const place = this.placeOf(name);
      const hash = packageHash(wasm);
      // A device keeps the epoch of a module that it replaces by itself.
      const inSlot = stored?.value.place === name && place.kind === 'device';
      const epoch = (stored?.value.epoch ?? 0) + (inSlot ? 0 : 1);
      const services = serviceEntries(model);
      this.refuseClash(thing, module, services);
      const placement: Placement = { thing, module, version, hash, place: name, epoch, services };
      if (dry) return placement;
      await packages.put(wasm);
      await this.replace(place, { thing, wasm }, placement, stored, request.progress);
      return placement;
    });
  }

  /** Stops a module and forgets it. */
  async remove(thing: string, module: string): Promise<void> {
    await this.exclusive(thing, module, async () => {
      const { registry, places } = this.options;
      const { value, revision } = this.find(thing, module);
      if (value.hash === '' && value.place.startsWith('device:'))
        throw new DiagnosticError('W901', `${module} of ${thing} is part of the image of ${value.place}`);
      if (!(await registry.remove(thing, module, revision)))
        throw new HttpError(409, `${module} of ${thing} was changed by somebody else meanwhile`);
      await this.discardOld(places.find(value.place), thing, module);
    });
  }

  /** @throws HttpError 404, 409 */
  async run(thing: string, module: string, action: RunAction): Promise<void> {
    await this.exclusive(thing, module, async () => {
      const { value } = this.find(thing, module);
      const place = this.placeOf(value.place);
      try {
        await place.run(thing, module, action);
      } catch (error) {
        throw new HttpError(409, (error as Error).message);
      }
    });
  }

  private async replace(
    place: ModulePlace,
    input: ModulePackage,
    placement: Placement,
    stored: Stored<Placement> | null,
    progress?: (fraction: number) => void,
  ): Promise<void> {
    const { registry, places } = this.options;
    const { thing, module, epoch } = placement;
    const here = stored?.value.place === place.name;
    const back = (): Promise<void> => place.discard(thing, module).catch(() => undefined);
    try {
      await place.prepare(input, epoch, progress);
    } catch (error) {
      if (!here) await back();
      throw refusal(error, placement);
    }
    let revision: number | null;
    try {
      revision = await registry.put(placement, stored?.revision ?? 0);
    } catch (error) {
      await back();
      throw error;
    }
    if (revision === null) {
      await back();
      throw new HttpError(409, `${module} of ${thing} was changed by somebody else meanwhile`);
    }
    try {
      await place.activate(thing, module, epoch, null);
    } catch (error) {
      // A device that says no runs the version before; of anything else nothing is known.
      if (here && place.kind === 'device' && error instanceof DiagnosticError)
        await registry.put(stored!.value, revision);
      throw refusal(error, placement);
    }
    if (stored !== null && !here) await this.discardOld(places.find(stored.value.place), thing, module);
  }

  /** A place that is away is settled when it comes back: the registry has forgotten what it has. */
  private async discardOld(place: ModulePlace | null, thing: string, module: string): Promise<void> {
    await place?.discard(thing, module).catch(() => undefined);
  }

  /** Two modules of a thing cannot have the same service. */
  private refuseClash(thing: string, module: string, services: Placement['services']): void {
    for (const other of this.options.registry.placements()) {
      if (other.thing !== thing || other.module === module) continue;
      const clash = other.services.find((entry) =>
        services.some(({ method, path }) => method === entry.method && path === entry.path),
      );
      if (clash !== undefined)
        throw new DiagnosticError('W901', `/${clash.path} is a service of ${other.module} of ${thing} already`);
    }
  }
}

function refusal(error: unknown, { module, thing, place }: Placement): Error {
  if (error instanceof DiagnosticError) return error;
  const reason = messageOf(error);
  return new DiagnosticError('W901', `${place} does not take ${module} of ${thing}: ${reason}`);
}
