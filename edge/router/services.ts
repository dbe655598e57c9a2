// Services by thing and path, as the registry has them: built when a thing is first asked for, thrown away when one of its
// placements changes. Takes the registry; knows no link.
import { RouteTable, segmentsOf } from '../imc/routes.js';
import { placementKey } from '../registry/tables.js';
import type { Placement, Registry, RegistryChange, ServiceEntry } from '../fleet/types.js';

export interface Target {
  readonly placement: Placement;
  readonly service: ServiceEntry;
}

/** The thing of a placement's key, `thing.module`: names of modules have no dot. */
export const thingOfKey = (key: string): string => key.slice(0, key.lastIndexOf('.'));

export class ServiceIndex {
  /** Placements by thing and key: a fleet has too many to look through for each thing. */
  private readonly byThing = new Map<string, Map<string, Placement>>();
  private readonly tables = new Map<string, RouteTable<Target>>();

  constructor(registry: Registry) {
    for (const placement of registry.placements()) this.set(placementKey(placement.thing, placement.module), placement);
  }

  apply(change: RegistryChange): void {
    if (change.type === 'placement') this.set(change.key, change.placement);
  }

  things(): string[] {
    return [...this.byThing.keys()].sort();
  }

  services(thing: string): Target[] {
    return [...this.tableOf(thing)];
  }

  /** `'method'`: the path has services of other methods only. */
  find(thing: string, uri: string, method: number): Target | 'method' | null {
    const found = this.tableOf(thing).find(segmentsOf(uri), method);
    return found === null || found === 'method' ? found : found.value;
  }

  private set(key: string, placement: Placement | null): void {
    const thing = thingOfKey(key);
    this.tables.delete(thing);
    const placements = this.byThing.get(thing) ?? new Map<string, Placement>();
    if (placement === null) placements.delete(key);
    else placements.set(key, placement);
    if (placements.size === 0) this.byThing.delete(thing);
    else this.byThing.set(thing, placements);
  }

  private tableOf(thing: string): RouteTable<Target> {
    const known = this.tables.get(thing);
    if (known !== undefined) return known;
    const table = new RouteTable<Target>();
    const placements = this.byThing.get(thing);
    // A thing that is not there is asked for by its name only, which a stranger may make up: not kept.
    if (placements === undefined) return table;
    for (const placement of placements.values())
      for (const service of placement.services) table.add(service.path, service.method, { placement, service });
    this.tables.set(thing, table);
    return table;
  }
}
