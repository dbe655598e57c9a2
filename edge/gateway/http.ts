// HTTP in front of the fleet (RFC 8075 in spirit): /things/THING/PATH, JSON by the contract's types, OpenAPI. Takes a
// router and the manifests; adds routes to a fastify server. Knows no place.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Method, METHOD_NAMES, methodName, methodNumber } from '../../compiler/abi/os-layout.js';
import type { PayloadType, ServiceModel } from '../../manifest/model.js';
import type { Router } from '../router/router.js';
import type { Answer } from '../worker/protocol.js';
import { MAX_WINDOW_BYTES } from '../worker/windows.js';
import { codeName, codeText, httpStatus } from './codes.js';
import { serviceModel, type Directory } from './directory.js';
import { JsonMismatch, payloadFromJson, payloadToJson } from './json.js';
import { streamChanges } from './http-observe.js';
import { openApi } from './openapi.js';

export interface HttpGatewayOptions {
  readonly router: Router;
  readonly directory: Directory;
  /** Name that services see as the caller; default "http". */
  readonly callerOf?: (request: FastifyRequest) => string;
}

const BINARY = 'application/octet-stream';
const CBOR = 'application/cbor';

/** What the client sent, not what the service answered. */
class BadRequest extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export function addHttpGateway(server: FastifyInstance, options: HttpGatewayOptions): void {
  const { router, directory } = options;
  // Bodies of every type arrive as bytes: what they mean is in the contract.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  server.get('/things', () =>
    router.things().map((thing) => ({ name: thing, href: `/things/${encodeURIComponent(thing)}` })),
  );
  server.get('/openapi.json', (request) => openApi(router, directory, `${request.protocol}://${request.host}`));
  server.get('/things/:thing', async (request, reply) => {
    const { thing } = request.params as { thing: string };
    if (!router.things().includes(thing)) return sendError(reply, 404, `there is no thing "${thing}"`);
    return router.services(thing).map(({ placement, service }) => ({
      module: placement.module,
      place: placement.place,
      method: methodName(service.method),
      path: `/${service.path}`,
      observable: service.observable,
      attributes: service.attributes,
    }));
  });
  server.route({
    method: METHOD_NAMES,
    url: '/things/:thing/*',
    bodyLimit: MAX_WINDOW_BYTES,
    handler: async (request, reply) => {
      try {
        return await forward(request, reply, options);
      } catch (error) {
        if (error instanceof BadRequest) return sendError(reply, error.status, error.message);
        if (error instanceof JsonMismatch) return sendError(reply, 400, error.message);
        throw error;
      }
    },
  });
}

function sendError(reply: FastifyReply, status: number, message: string, code?: number): FastifyReply {
  return reply.status(status).send({ status, message, ...(code === undefined ? {} : { code: codeText(code) }) });
}

async function forward(
  request: FastifyRequest,
  reply: FastifyReply,
  options: HttpGatewayOptions,
): Promise<FastifyReply> {
  const { router, directory } = options;
  const { thing } = request.params as { thing: string };
  const method = methodNumber(request.method)!;
  // The raw URL: what is percent-encoded stays so for the service.
  const uri = request.url.slice(`/things/${request.url.split('/')[2]!}`.length);
  const service = serviceModel(directory, router, thing, uri, method);
  const payload = payloadOf(request, service?.contract.request ?? null, service !== null);
  const caller = options.callerOf?.(request) ?? 'http';
  const ask = (): Promise<Answer> =>
    router.request(thing, { method, uri, payload, caller, capacity: MAX_WINDOW_BYTES });
  if (method === Method.Get && (request.headers.accept ?? '').includes('text/event-stream')) {
    const type = service?.contract.response ?? null;
    const observe = (changed: () => void): (() => void) | null => router.observe(thing, uri, changed);
    if (streamChanges(reply, { ask, observe, type })) return reply;
    throw new BadRequest(406, 'this service cannot be observed');
  }
  return respond(request, reply, await ask(), service);
}

function payloadOf(request: FastifyRequest, type: PayloadType | null, known: boolean): Uint8Array {
  const body = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
  if (body.length === 0) return body;
  const content = (request.headers['content-type'] ?? BINARY).split(';')[0]!.trim().toLowerCase();
  if (content === 'application/json') {
    if (!known)
      throw new BadRequest(415, 'the types of this service are not known here: send application/octet-stream');
    let value: unknown;
    try {
      value = JSON.parse(body.toString('utf8'));
    } catch (error) {
      throw new BadRequest(400, `the body is not JSON: ${(error as Error).message}`);
    }
    return payloadFromJson(value, type);
  }
  if (content === BINARY || (content === CBOR && type?.kind === 'cbor')) return body;
  if (content.startsWith('text/') && (type?.kind === 'utf8' || !known)) return body;
  throw new BadRequest(415, `${content} does not fit: send application/json or application/octet-stream`);
}

function respond(
  request: FastifyRequest,
  reply: FastifyReply,
  { code, payload }: Answer,
  service: ServiceModel | null,
): FastifyReply {
  const status = httpStatus(code, payload.length);
  void reply.header('x-coap-code', codeText(code));
  if (code >> 5 !== 2) {
    if (status === 405 && service === null) void reply.header('allow', 'GET, POST, PUT, DELETE');
    const text = Buffer.from(payload).toString('utf8');
    return sendError(reply, status, text === '' ? codeName(code) : text, code);
  }
  if (status === 204 || status === 304) return reply.status(status).send();
  const type = service?.contract.response ?? null;
  const accept = request.headers.accept ?? '*/*';
  const raw = accept.includes(BINARY) || (accept.includes(CBOR) && type?.kind === 'cbor') || service === null;
  if (raw || type === null || type.kind === 'bytes')
    return reply
      .status(status)
      .type(type?.kind === 'cbor' ? CBOR : BINARY)
      .send(Buffer.from(payload));
  if (type.kind === 'utf8' && !accept.includes('json'))
    return reply.status(status).type('text/plain; charset=utf-8').send(Buffer.from(payload).toString('utf8'));
  return reply
    .status(status)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(payloadToJson(payload, type)));
}
