// CoAP over UDP in front of the fleet (RFC 7252), for stock clients: /things/THING/PATH, discovery, observe, block-wise by
// the `coap` library. Takes a router and a way to observe; knows no place.
import { createServer, type IncomingMessage, type OutgoingMessage, type Server } from 'coap';
import { Method, methodNumber, ResponseCode } from '../../compiler/abi/os-layout.js';
import { linkFormat } from '../imc/link-format.js';
import type { Router } from '../router/router.js';
import type { Answer } from '../worker/protocol.js';
import { MAX_WINDOW_BYTES } from '../worker/windows.js';
import { codeText } from './codes.js';

export interface CoapGatewayOptions {
  readonly router: Router;
  /** Calls `changed` after each notification of a service; null if it cannot be observed. */
  readonly observe: (thing: string, uri: string, changed: () => void) => (() => void) | null;
  readonly port: number;
  readonly address?: string;
}

const CALLER = 'coap';
const LINK_FORMAT = 'application/link-format';

/** Starts the server; resolves when it listens. */
export function startCoapGateway(options: CoapGatewayOptions): Promise<Server> {
  const server = createServer();
  server.on('request', (request: IncomingMessage, response: OutgoingMessage) => {
    handle(options, request, response).catch(() => {
      response.code = codeText(ResponseCode.InternalServerError);
      response.end();
    });
  });
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(options.port, options.address, () => resolve(server));
  });
}

async function handle(options: CoapGatewayOptions, request: IncomingMessage, response: OutgoingMessage): Promise<void> {
  const { router } = options;
  const [path, query] = request.url.split('?');
  const segments = path!.split('/').filter((segment) => segment !== '');
  if (path === '/.well-known/core') {
    const links = router.things().flatMap((thing) =>
      router.services(thing).map(({ service }) => ({
        path: `things/${thing}/${service.path}`,
        attributes: service.attributes,
      })),
    );
    response.setOption('Content-Format', LINK_FORMAT);
    response.code = codeText(ResponseCode.Content);
    response.end(linkFormat(links, request.url));
    return;
  }
  const [root, thing, ...rest] = segments;
  const method = methodNumber(request.method);
  if (root !== 'things' || thing === undefined || method === undefined) {
    finish(response, {
      code: method === undefined ? ResponseCode.NotImplemented : ResponseCode.NotFound,
      payload: Buffer.alloc(0),
    });
    return;
  }
  const uri = `/${rest.join('/')}${query === undefined ? '' : `?${query}`}`;
  const ask = (): Promise<Answer> =>
    router.request(thing, { method, uri, payload: request.payload, caller: CALLER, capacity: MAX_WINDOW_BYTES });
  const wantsToObserve = request.headers['Observe'] === 0 && method === Method.Get;
  const first = await ask();
  if (!wantsToObserve || first.code >> 5 !== 2) {
    finish(response, first);
    return;
  }
  let busy = false;
  let again = false;
  // Changes while an answer is fetched are one more fetch: what counts is the last state (RFC 7641).
  const changed = async (): Promise<void> => {
    again = true;
    if (busy) return;
    busy = true;
    while (again) {
      again = false;
      const next = await ask();
      response.code = codeText(next.code);
      response.write(Buffer.from(next.payload));
    }
    busy = false;
  };
  const stop = options.observe(thing, uri, () => void changed());
  response.code = codeText(first.code);
  if (stop === null) {
    finish(response, first);
    return;
  }
  response.on('finish', stop);
  response.write(Buffer.from(first.payload));
}

function finish(response: OutgoingMessage, { code, payload }: Answer): void {
  response.code = codeText(code);
  response.end(Buffer.from(payload));
}
