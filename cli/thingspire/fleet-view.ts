// The fleet as `GET /api/fleet` shows it, and names in it. Takes an edge; knows no command.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { ModuleStats } from '../../edge/fleet/events.js';
import type { Placement, PlaceRecord } from '../../edge/fleet/types.js';
import type { EdgeClient } from './client.js';

export interface FleetModule extends Omit<Placement, 'services'> {
  readonly services: readonly { readonly method: string; readonly path: string; readonly observable: boolean }[];
  readonly stats: ModuleStats | null;
}

export interface FleetView {
  /** Name of the edge that has told it. */
  readonly edge: string;
  readonly lastEvent: number;
  readonly places: readonly PlaceRecord[];
  readonly modules: readonly FleetModule[];
}

export const readFleet = (edge: EdgeClient): Promise<FleetView> => edge.json<FleetView>('/api/fleet');

/**
 * The module that `THING/MODULE` names, or `MODULE` where only one thing has it.
 * @throws DiagnosticError W901
 */
export function findModule({ modules }: FleetView, name: string): FleetModule {
  const [first, second] = name.split('/') as [string, string | undefined];
  const found = modules.filter(({ thing, module }) =>
    second === undefined ? module === first : thing === first && module === second,
  );
  const [only, other] = found;
  if (only === undefined) throw new DiagnosticError('W901', `there is no module "${name}"`);
  if (other !== undefined) {
    const names = found.map(({ thing, module }) => `${thing}/${module}`).join(', ');
    throw new DiagnosticError('W901', `"${name}" can be ${names}`);
  }
  return only;
}

/** The place that `edge:NAME`, `device:NAME` or just `NAME` means. @throws DiagnosticError W901 */
export function findPlace({ places }: FleetView, name: string): string {
  const found = places.filter((place) => place.name === name || place.name.endsWith(`:${name}`));
  const [only, other] = found;
  const names = (list: readonly PlaceRecord[]): string => list.map((place) => place.name).join(', ');
  if (only === undefined)
    throw new DiagnosticError('W901', `there is no place "${name}" now; there are ${names(places)}`);
  if (other !== undefined) throw new DiagnosticError('W901', `"${name}" can be ${names(found)}`);
  return only.name;
}

export const modulePath = ({ thing, module }: { thing: string; module: string }): string =>
  `/api/things/${encodeURIComponent(thing)}/modules/${encodeURIComponent(module)}`;
