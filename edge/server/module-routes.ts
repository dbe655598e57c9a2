// The routes under /api that change modules: deploying, moving, starting and stopping, removing. Takes requests; what they
// do is others'.
import { PassThrough } from 'node:stream';
import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RunAction } from '../fleet/types.js';
import type { ApiParts } from './api.js';
import { packageFrom } from './checked-package.js';
import { HttpError } from './http-error.js';

/** Longest .wasm that is taken. */
const MAX_MODULE_BYTES = 16 * 1024 * 1024;
/** Longest things.json. */
const MAX_MANIFEST_BYTES = 1024 * 1024;
const ACTIONS: readonly string[] = ['start', 'stop', 'restart'] satisfies RunAction[];

interface Params {
  readonly thing: string;
  readonly module: string;
}

export async function addModuleRoutes(server: FastifyInstance, { modules, moves }: ApiParts): Promise<void> {
  await server.register(multipart, { limits: { fileSize: MAX_MODULE_BYTES, files: 2, fields: 4 } });

  server.put('/api/things/:thing/modules', { bodyLimit: MAX_MODULE_BYTES }, async (request) => {
    const { thing } = request.params as Params;
    if (!/^[a-z][a-z0-9-]{0,30}$/.test(thing))
      throw new HttpError(400, 'a thing is named with lower-case letters, digits and hyphens');
    const { place, dry } = request.query as { place?: string; dry?: string };
    const wasm = request.isMultipart() ? await readForm(request) : bodyOf(request);
    return modules.deploy({ thing, wasm, place: place ?? null, dry: dry === '1' || dry === 'true' });
  });

  server.post('/api/things/:thing/modules/:module/move', async (request, reply) => {
    const { thing, module } = request.params as Params;
    const { to } = jsonOf(request);
    if (typeof to !== 'string') throw new HttpError(400, '"to" is the name of a place');
    return streamMove(reply, (line) => moves.start(thing, module, to, line));
  });

  server.post('/api/things/:thing/modules/:module/run', async (request, reply) => {
    const { thing, module } = request.params as Params;
    const { action } = jsonOf(request);
    if (!ACTIONS.includes(action as string)) throw new HttpError(400, `"action" is one of ${ACTIONS.join(', ')}`);
    await modules.run(thing, module, action as RunAction);
    return reply.status(204).send();
  });

  server.delete('/api/things/:thing/modules/:module', async (request, reply) => {
    const { thing, module } = request.params as Params;
    await modules.remove(thing, module);
    return reply.status(204).send();
  });
}

/** Lines of JSON from the first step on; an error before that is an answer of its own. */
function streamMove(
  reply: FastifyReply,
  start: (line: (value: unknown) => void) => Promise<void>,
): Promise<FastifyReply> {
  return new Promise((resolve, reject) => {
    const lines = new PassThrough();
    let begun = false;
    const run = start((value) => {
      lines.write(`${JSON.stringify(value)}\n`);
      if (begun) return;
      begun = true;
      resolve(reply.type('application/x-ndjson; charset=utf-8').send(lines));
    });
    run.then(
      () => lines.end(),
      (error: unknown) => (begun ? lines.end() : reject(error as Error)),
    );
  });
}

function bodyOf(request: FastifyRequest): Uint8Array {
  return new Uint8Array((request.body as Buffer | undefined) ?? Buffer.alloc(0));
}

/** Only if it says that it is JSON: a form of a foreign page cannot. */
function jsonOf(request: FastifyRequest): Record<string, unknown> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim();
  if (type !== 'application/json') throw new HttpError(415, 'the body is JSON, as application/json');
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bodyOf(request)).toString('utf8'));
  } catch (error) {
    throw new HttpError(400, `the body is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null) throw new HttpError(400, 'the body is not a JSON object');
  return value as Record<string, unknown>;
}

/** A form with the file `wasm`, and a things.json as `manifest` (file or field) for one that does not carry its own. */
async function readForm(request: FastifyRequest): Promise<Uint8Array> {
  let wasm: { readonly bytes: Buffer; readonly file: string } | null = null;
  let manifest: Buffer | null = null;
  let name: string | null = null;
  for await (const part of request.parts()) {
    if (part.type === 'file') {
      const bytes = await part.toBuffer();
      if (part.fieldname === 'wasm') wasm = { bytes, file: part.filename };
      else if (part.fieldname === 'manifest') manifest = bytes;
    } else if (part.fieldname === 'manifest') manifest = Buffer.from(String(part.value));
    else if (part.fieldname === 'module') name = String(part.value);
  }
  if (wasm === null) throw new HttpError(400, 'the form has no file "wasm"');
  if (manifest === null) return new Uint8Array(wasm.bytes);
  if (manifest.length > MAX_MANIFEST_BYTES) throw new HttpError(413, 'the manifest is too long');
  return packageFrom(new Uint8Array(wasm.bytes), manifest, wasm.file, name);
}
