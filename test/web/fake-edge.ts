// An edge that is all interface: serves the page and the HTTP interface of docs/edge.md over a fleet that a test makes up.
// For what a real one cannot be brought to in a test: hundreds of modules, a move that stands still or is refused, an edge
// that is away. Gives handles to make things happen; runs no module.
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import type { FaultEvent, FleetEvent, ModuleStats, MoveEvent } from '../../edge/fleet/events.js';
import type { Placement, PlaceRecord } from '../../edge/fleet/types.js';
import { addPage } from '../../edge/web/serve.js';

export interface FakeModule extends Placement {
  stats: ModuleStats | null;
}

export type MoveOf = (module: FakeModule, to: string, step: (event: MoveEvent) => void) => Promise<void>;

export class FakeEdge {
  readonly places = new Map<string, PlaceRecord>();
  readonly modules = new Map<string, FakeModule>();
  readonly requests: string[] = [];
  readonly faults: FaultEvent[] = [];
  /** What a move does; the default goes through at once. */
  onMove: MoveOf = async (module, to, step) => this.finishMove(module, to, step);
  /** When set, `/api` wants a session with this token. */
  token: string | null = null;
  private readonly sessions = new Set<string>();
  private readonly streams = new Set<FastifyReply>();
  private server: FastifyInstance | null = null;
  private readonly ring: { id: number; event: FleetEvent }[] = [];
  private id = Date.now() * 1000;

  constructor(readonly name = 'hub') {
    this.place({ name: `edge:${name}`, kind: 'edge', edge: name, details: {} });
  }

  place(record: PlaceRecord): void {
    this.places.set(record.name, record);
    this.publish({ type: 'place', time: Date.now(), name: record.name, record });
  }

  add(thing: string, module: string, place: string, change: Partial<FakeModule> = {}): FakeModule {
    const services = [{ method: 1, path: module, attributes: '', observable: true }];
    const placement = { thing, module, version: '1.0.0', hash: 'ab'.repeat(32), place, epoch: 1, services };
    const entry: FakeModule = { ...placement, stats: statsOf(thing, module), ...change };
    this.modules.set(`${thing}.${module}`, entry);
    const { stats: _, ...only } = entry;
    this.publish({ type: 'placement', time: Date.now(), key: `${thing}.${module}`, placement: only });
    return entry;
  }

  /** A second of work at each place: each module has been called so often. */
  tick(calls: (module: FakeModule) => number, time = Date.now()): void {
    for (const place of this.places.keys()) {
      const here = [...this.modules.values()].filter((module) => module.place === place);
      for (const module of here)
        if (module.stats !== null) module.stats = { ...module.stats, calls: module.stats.calls + calls(module) };
      const modules = here.flatMap(({ stats }) => (stats === null ? [] : [stats]));
      this.publish({ type: 'stats', time, place, modules });
    }
  }

  publish(event: FleetEvent): void {
    const id = ++this.id;
    if (event.type !== 'stats') this.ring.push({ id, event });
    if (event.type === 'fault') this.faults.push(event);
    for (const stream of this.streams) stream.raw.write(`id: ${id}\ndata: ${JSON.stringify(event)}\n\n`);
  }

  finishMove(module: FakeModule, to: string, step: (event: MoveEvent) => void): void {
    const base = this.moveBase(module, to);
    step({ ...base, step: 'commit', progress: 0.7 });
    const { stats: _, ...placement } = Object.assign(module, { place: to, epoch: module.epoch + 1 });
    this.publish({ type: 'placement', time: Date.now(), key: `${module.thing}.${module.module}`, placement });
    step({ ...base, step: 'done', progress: 1, pauseMs: 12.4, stateBytes: 66_000 });
  }

  moveBase(module: FakeModule, to: string): Omit<MoveEvent, 'step' | 'progress'> {
    const { thing, place: from, epoch } = module;
    const id = `${thing}.${module.module}.${epoch}`;
    return { type: 'move', time: Date.now(), place: from, id, thing, module: module.module, from, to };
  }

  async start(port = 0): Promise<string> {
    const server = fastify({ forceCloseConnections: true });
    this.server = server;
    server.removeAllContentTypeParsers();
    server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    server.addHook('onRequest', async (request, reply) => {
      if (!request.url.startsWith('/api/')) return;
      this.requests.push(`${request.method} ${request.url}`);
      const known = [...this.sessions].some((session) => request.headers.cookie?.includes(session) === true);
      if (this.token !== null && !known && request.url !== '/api/session')
        await reply.status(401).send({ status: 401, message: 'a token is needed' });
    });
    this.addRoutes(server);
    addPage(server);
    await server.listen({ port, host: '127.0.0.1' });
    return server.listeningOrigin;
  }

  async stop(): Promise<void> {
    for (const stream of this.streams) stream.raw.destroy();
    await this.server?.close();
    this.server = null;
  }

  private addRoutes(server: FastifyInstance): void {
    server.get('/api/fleet', () => ({
      edge: this.name,
      lastEvent: this.id,
      places: [...this.places.values()],
      modules: [...this.modules.values()].map(({ services, ...module }) => ({
        ...module,
        services: services.map(({ path, observable }) => ({ method: 'GET', path, observable })),
      })),
    }));
    server.get('/api/events', (request, reply) => {
      const { since } = request.query as { since: string };
      reply.hijack();
      reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
      reply.raw.write(': here\n\n');
      for (const { id, event } of this.ring)
        if (id > Number(since)) reply.raw.write(`id: ${id}\ndata: ${JSON.stringify(event)}\n\n`);
      this.streams.add(reply);
      reply.raw.on('close', () => this.streams.delete(reply));
    });
    server.get('/api/whoami', () => ({ name: this.token === null ? null : 'ada', role: 'admin' }));
    server.post('/api/session', (request, reply) => {
      const { token } = JSON.parse(String(request.body)) as { token: string };
      if (token !== this.token) return reply.status(401).send({ status: 401, message: 'this token does not count' });
      const session = `session=${Math.random().toString(36).slice(2)}`;
      this.sessions.add(session);
      return reply.header('set-cookie', `${session}; Path=/; HttpOnly; SameSite=Strict`).send({ name: 'ada' });
    });
    server.get('/api/modules/:thing/:module/faults', (request) => {
      const { thing, module } = request.params as { thing: string; module: string };
      return this.faults.filter((fault) => fault.thing === thing && fault.module === module);
    });
    server.get('/api/places/:place', (request) => ({ name: (request.params as { place: string }).place }));
    server.post('/api/things/:thing/modules/:module/move', async (request, reply) => {
      const { thing, module } = request.params as { thing: string; module: string };
      const { to } = JSON.parse(String(request.body)) as { to: string };
      const entry = this.modules.get(`${thing}.${module}`)!;
      reply.hijack();
      reply.raw.writeHead(200, { 'content-type': 'application/x-ndjson' });
      const step = (event: MoveEvent): void => {
        reply.raw.write(`${JSON.stringify(event)}\n`);
        this.publish(event);
      };
      step({ ...this.moveBase(entry, to), step: 'prepare', progress: 0.1 });
      await this.onMove(entry, to, step);
      reply.raw.end();
    });
  }
}

export function statsOf(thing: string, module: string, change: Partial<ModuleStats> = {}): ModuleStats {
  return {
    thing,
    module,
    state: 'running',
    calls: 100,
    faults: 0,
    restarts: 0,
    latency: { median: 210, worst: 900 },
    memoryBytes: 65_536,
    memoryMaxBytes: 131_072,
    stackBytes: 1_200,
    stackMaxBytes: 4_096,
    ...change,
  };
}
