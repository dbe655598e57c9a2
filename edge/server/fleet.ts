// What an edge shares with others: registry, events, packages, and the ways to places of other edges. An edge alone has
// them for itself; several share them over a network (edge/nats).
import { join } from 'node:path';
import type { FleetEvents } from '../fleet/events.js';
import { LocalEvents } from '../fleet/local-events.js';
import { FilePackages, type PackageStore } from '../fleet/packages.js';
import type { ModulePlace, PlaceLink, Registry } from '../fleet/types.js';
import { EmbeddedRegistry } from '../registry/embedded.js';

export interface Fleet {
  readonly registry: Registry;
  readonly events: FleetEvents;
  readonly packages: PackageStore;
  /** Requests to a place of another edge; null: no such place is known. */
  linkTo(place: string): PlaceLink | null;
  placeOf(name: string): ModulePlace | null;
  /** Lets other edges reach the places of this one. */
  serve(here: { link(place: string): PlaceLink | null; place(name: string): ModulePlace | null }): unknown;
  close(): Promise<void>;
}

/** Of an edge that is alone; nothing to start. @param directory what must survive a restart; null: nothing does */
export function localFleet(directory: string | null): Fleet {
  const registry = new EmbeddedRegistry(directory === null ? null : join(directory, 'registry.jsonl'));
  return {
    registry,
    events: new LocalEvents(),
    packages: filePackages(directory),
    linkTo: () => null,
    placeOf: () => null,
    serve: () => undefined,
    close: () => registry.close(),
  };
}

export const filePackages = (directory: string | null): PackageStore =>
  new FilePackages(directory === null ? null : join(directory, 'packages'));
