// `GET /api/events`: what happens, as server-sent events (WHATWG HTML, 9.2), from where the client was the last time.
// Takes the log of events; adds a route. Knows no event in particular.
import type { FastifyInstance } from 'fastify';
import type { FleetEvent } from '../fleet/events.js';
import { beginEvents, followEvents } from '../gateway/sse.js';
import { HttpError } from './http-error.js';
import type { EventLog, NumberedEvent } from './event-log.js';

/** How long a client waits before it connects again. */
const RETRY_MS = 1_000;
/** Bytes that may wait for a client that does not read; then it is cut off and may come again. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

const TYPES: ReadonlySet<string> = new Set<FleetEvent['type']>(['log', 'fault', 'stats', 'move', 'placement', 'place']);

export function addEventStream(server: FastifyInstance, log: EventLog): void {
  server.get('/api/events', (request, reply) => {
    const { types, since, follow } = request.query as { types?: string; since?: string; follow?: string };
    const wanted = types === undefined || types === '' ? TYPES : new Set(types.split(','));
    for (const type of wanted) if (!TYPES.has(type)) throw new HttpError(400, `there are no events "${type}"`);
    const last = request.headers['last-event-id'] ?? since;
    if (last !== undefined && !/^\d{1,16}$/.test(String(last))) throw new HttpError(400, 'since: a number');
    const raw = beginEvents(reply, { 'x-accel-buffering': 'no' });
    raw.write(`retry: ${RETRY_MS}\n\n`);
    const send = ({ id, event }: NumberedEvent): void => {
      if (!wanted.has(event.type)) return;
      if (raw.writableLength > MAX_WAITING_BYTES) raw.destroy();
      else raw.write(`id: ${id}\ndata: ${JSON.stringify(event)}\n\n`);
    };
    if (last !== undefined) log.since(Number(last)).forEach(send);
    // `follow=0`: only what has been.
    if (follow === '0') {
      raw.end();
      return;
    }
    followEvents(raw, log.watch(send));
  });
}
