// Several edges in one process as one fleet, with nothing to start: they share registry, events and packages, and reach
// each other directly. For trying out and for tests; edges on several machines share them over NATS (edge/nats).
import { LocalEvents } from '../fleet/local-events.js';
import { FilePackages } from '../fleet/packages.js';
import { EmbeddedRegistry } from '../registry/embedded.js';
import type { Fleet } from './fleet.js';

type Here = Parameters<Fleet['serve']>[0];

export class SharedFleet {
  private readonly registry = new EmbeddedRegistry(null);
  private readonly events = new LocalEvents();
  private readonly packages = new FilePackages(null);
  private readonly members = new Set<Here>();

  /** What one edge is given. */
  member(): Fleet {
    const { registry, events, packages, members } = this;
    let own: Here | null = null;
    const first = <T>(find: (here: Here) => T | null): T | null => {
      for (const here of members) {
        const found = here === own ? null : find(here);
        if (found !== null) return found;
      }
      return null;
    };
    return {
      registry,
      events,
      packages,
      linkTo: (place) => first((here) => here.link(place)),
      placeOf: (name) => first((here) => here.place(name)),
      serve: (here) => members.add((own = here)),
      close: async () => {
        if (own !== null) members.delete(own);
        if (members.size === 0) await registry.close();
      },
    };
  }
}
