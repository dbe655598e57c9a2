// The local copy of the registry: placements and places with their revisions, and who is told of changes. Takes changes in
// order; knows neither file nor network.
import type { Placement, PlaceRecord, RegistryChange, Stored } from '../fleet/types.js';

export const placementKey = (thing: string, module: string): string => `${thing}.${module}`;

export class RegistryTables {
  private readonly byKey = new Map<string, Stored<Placement>>();
  private readonly placesByName = new Map<string, PlaceRecord>();
  private readonly listeners = new Set<(change: RegistryChange) => void>();
  /** Revisions of removals: an older write that arrives later does not bring a placement back. */
  private readonly removed = new Map<string, number>();

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

  place(name: string): PlaceRecord | null {
    return this.placesByName.get(name) ?? null;
  }

  /** Applies a change unless it is older than what is here. */
  setPlacement(key: string, placement: Placement | null, revision: number): void {
    if ((this.byKey.get(key)?.revision ?? this.removed.get(key) ?? 0) >= revision) return;
    if (placement === null) {
      this.removed.set(key, revision);
      if (!this.byKey.delete(key)) return;
    } else {
      this.removed.delete(key);
      this.byKey.set(key, { value: placement, revision });
    }
    this.tell({ type: 'placement', key, placement });
  }

  /** Replaces all placements, also newer ones; tells of what differs. */
  resetPlacements(all: ReadonlyMap<string, Stored<Placement>>): void {
    this.removed.clear();
    for (const key of [...this.byKey.keys()]) {
      if (all.has(key)) continue;
      this.byKey.delete(key);
      this.tell({ type: 'placement', key, placement: null });
    }
    for (const [key, stored] of all) {
      if (this.byKey.get(key)?.revision === stored.revision) continue;
      this.byKey.set(key, stored);
      this.tell({ type: 'placement', key, placement: stored.value });
    }
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
