// The HTTP interface for tools and the page, all under /api: the fleet at a glance, what happens in it, places. Takes what
// the edge is made of; adds routes. Knows no security: hooks in front of it do.
import type { FastifyInstance } from 'fastify';
import { methodName } from '../../compiler/abi/os-layout.js';
import type { Registry } from '../fleet/types.js';
import type { EventLog } from './event-log.js';
import { addEventStream } from './event-stream.js';
import { addErrorForm } from './http-error.js';
import { addModuleRoutes } from './module-routes.js';
import type { Modules } from './modules.js';
import type { Moves } from './moves.js';

export interface ApiParts {
  /** Name of the edge. */
  readonly edge: string;
  readonly registry: Registry;
  readonly log: EventLog;
  readonly modules: Modules;
  readonly moves: Moves;
  /** Our own bugs. */
  readonly report: (error: unknown) => void;
}

/** In a context of its own, so that the form of errors and bodies is that of tools and not the gateway's. */
export async function addApi(server: FastifyInstance, parts: ApiParts): Promise<void> {
  await server.register(async (api) => {
    addErrorForm(api, parts.report);
    addFleetRoutes(api, parts);
    addEventStream(api, parts.log);
    await addModuleRoutes(api, parts);
  });
}

function addFleetRoutes(server: FastifyInstance, { edge, registry, log, modules }: ApiParts): void {
  server.get('/api/fleet', () => ({
    edge,
    lastEvent: log.lastId,
    places: [...registry.places()],
    modules: [...registry.placements()].map(({ services, ...placement }) => ({
      ...placement,
      services: services.map(({ method, path, observable }) => ({ method: methodName(method), path, observable })),
      stats: log.statsOf(placement.place, placement.thing, placement.module),
    })),
  }));
  server.get('/api/places/:place', async (request) => {
    const { place: name } = request.params as { place: string };
    const place = modules.placeOf(name);
    const record = [...registry.places()].find((entry) => entry.name === name) ?? null;
    return { name, kind: place.kind, record, details: await place.details(), modules: await place.modules() };
  });
  server.get('/api/modules/:thing/:module/faults', (request) => {
    const { thing, module } = request.params as { thing: string; module: string };
    modules.find(thing, module);
    return log.faultsOf(thing, module);
  });
}
