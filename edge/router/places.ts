// Places that modules can be moved to and from: those of this edge, and those of others through a function. Takes places;
// knows no network.
import type { ModulePlace, Places } from '../fleet/types.js';

export class PlaceDirectory implements Places {
  private readonly local = new Map<string, ModulePlace>();

  /** @param elsewhere places of other edges by name; null: not known */
  constructor(private readonly elsewhere: (name: string) => ModulePlace | null = () => null) {}

  /** A new place of the same name takes the place of the old one. */
  add(place: ModulePlace): void {
    this.local.set(place.name, place);
  }

  /** Only if `place` is still the one that is known. */
  remove(place: ModulePlace): void {
    if (this.local.get(place.name) === place) this.local.delete(place.name);
  }

  /** Those of this edge. */
  here(): IterableIterator<ModulePlace> {
    return this.local.values();
  }

  find(name: string): ModulePlace | null {
    return this.local.get(name) ?? this.elsewhere(name);
  }

  /** Only among those of this edge: what other edges are given. */
  findHere(name: string): ModulePlace | null {
    return this.local.get(name) ?? null;
  }
}
