// The HTTP interface for tools: places and modules, deploying and removing. Takes an edge server; adds routes under /api.
import type { FastifyInstance, FastifyReply } from 'fastify';
import { DiagnosticError, DiagnosticErrors, formatDiagnostic } from '../../compiler/diagnostics.js';
import type { EdgeServer } from './edge-server.js';

/** Longest .wasm that is taken. */
const MAX_MODULE_BYTES = 16 * 1024 * 1024;

interface ModuleParams {
  readonly thing: string;
  readonly module: string;
}

function refuse(reply: FastifyReply, error: unknown): FastifyReply {
  const errors = error instanceof DiagnosticErrors ? error.all : error instanceof DiagnosticError ? [error] : null;
  if (errors === null) throw error;
  return reply.status(422).send({ status: 422, errors: errors.map((entry) => formatDiagnostic(entry)) });
}

export function addManagement(server: FastifyInstance, edge: EdgeServer): void {
  server.get('/api/places', () => [...edge.registry.places()]);
  server.get('/api/modules', () =>
    [...edge.registry.placements()].map(({ services, ...placement }) => {
      const status = edge.place.statusOf(placement.thing).find(({ name }) => name === placement.module);
      return { ...placement, services: services.length, ...(status === undefined ? {} : { status }) };
    }),
  );
  server.put('/api/things/:thing/modules', { bodyLimit: MAX_MODULE_BYTES }, async (request, reply) => {
    const { thing } = request.params as ModuleParams;
    if (!/^[a-z][a-z0-9-]{0,30}$/.test(thing))
      return reply
        .status(400)
        .send({ status: 400, message: 'a thing is named with lower-case letters, digits and hyphens' });
    const body = request.body as Buffer | undefined;
    try {
      return await edge.deploy({ thing, wasm: new Uint8Array(body ?? Buffer.alloc(0)) });
    } catch (error) {
      return refuse(reply, error);
    }
  });
  server.delete('/api/things/:thing/modules/:module', async (request, reply) => {
    const { thing, module } = request.params as ModuleParams;
    if (await edge.remove(thing, module)) return reply.status(204).send();
    return reply.status(404).send({ status: 404, message: `${module} of ${thing} is not here` });
  });
}
