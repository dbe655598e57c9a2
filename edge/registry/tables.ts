// The local copy of the registry: placements and places with their revisions, and who is told of changes. Takes changes in
// order; knows neither file nor network.
import type { Placement, PlaceRecord, RegistryChange, Stored } from '../fleet/types.js';

export const placementKey = (thing: string, module: string): string => `${thing}.${module}`;

export class RegistryTables {
  private readonly byKey = new Map<string, Stored<Placement>>();
  private readonly placesByName = new Map<string, PlaceRecord>();
  private readonly listeners = new Set<(change: RegistryChange) => void>();

  *placements(): IterableIterator<Placement> {
    for (const { value } of this.byKey.values()) yield value;
  }

  places(): IterableIterator<PlaceRecord> {
    return this.placesByName.values();
  }

  placement(thing: string, module: string): Stored<Placement> | null {
    return this.byKey.get(placementKey(thing, module)) ?? null;
  }

  watch(listener: (change: RegistryChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Applies a change unless it is older than what is here. */
  setPlacement(key: string, placement: Placement | null, revision: number): void {
    const known = this.byKey.get(key);
    if (known !== undefined && known.revision >= revision) return;
    if (placement === null) {
      if (!this.byKey.delete(key)) return;
    } else this.byKey.set(key, { value: placement, revision });
    this.tell({ type: 'placement', key, placement });
  }

  setPlace(name: string, place: PlaceRecord | null): void {
    if (place === null) {
      if (!this.placesByName.delete(name)) return;
    } else this.placesByName.set(name, place);
    this.tell({ type: 'place', key: name, place });
  }

  private tell(change: RegistryChange): void {
    for (const listener of this.listeners) listener(change);
  }
}
