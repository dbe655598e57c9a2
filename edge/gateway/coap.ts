// CoAP over UDP in front of the fleet (RFC 7252), for stock clients: /things/THING/PATH, discovery, observe, block-wise by
// the `coap` library behind a guard. Takes a router and a way to observe; knows no place.
import { createServer, type IncomingMessage, type OutgoingMessage } from 'coap';
import type { ParsedPacket } from 'coap-packet';
import { Method, methodNumber, ResponseCode } from '../../compiler/abi/os-layout.js';
import { linkFormat } from '../imc/link-format.js';
import type { Router } from '../router/router.js';
import { keyOf, LAST_BLOCK_OPTION } from '../security/block-assembly.js';
import { BoundedBlockCache } from '../security/block-cache.js';
import { CoapGuard, type CoapLimits, type GuardCounts } from '../security/coap-guard.js';
import { blockOf } from '../security/coap-message.js';
import { includesRole, type Role } from '../security/roles.js';
import type { Answer } from '../worker/protocol.js';
import { Observers, withoutObserve } from './coap-observe.js';
import { codeText } from './codes.js';

export interface CoapGatewayOptions {
  readonly router: Router;
  /** Calls `changed` after each notification of a service; null if it cannot be observed. */
  readonly observe: (thing: string, uri: string, changed: () => void) => (() => void) | null;
  readonly port: number;
  /** Default 127.0.0.1: CoAP over UDP has no protection of its own here. */
  readonly address?: string;
  /** What clients may do now, who cannot say who they are: `viewer` sees what there is, `caller` uses it. */
  readonly role?: () => Role | null;
  /** Instead of the usual ones (for tests). */
  readonly limits?: Pick<CoapLimits, 'rate' | 'burst'>;
}

/** What services see: nobody in particular. An option of a client that names a caller is not looked at. */
const CALLER = 'coap';
const LINK_FORMAT = 'application/link-format';
/** Most bytes of a body in blocks. */
const MAX_BODY_BYTES = 64 * 1024;
/** 4.08 of RFC 7959, 2.9.2. */
const REQUEST_ENTITY_INCOMPLETE = 0x88;
/** The smallest block; what is longer may come in several. */
const MIN_BLOCK_BYTES = 16;
/** EXCHANGE_LIFETIME of RFC 7252, 4.8.2. */
const ANSWER_LIFETIME_MS = 247_000;
/** Requests being answered at a time. */
const MAX_UNDER_WAY = 1_000;

export interface CoapGateway {
  /** Bound port. */
  readonly port: number;
  /** Datagrams since the start. */
  readonly counts: Readonly<GuardCounts>;
  close(): void;
}

/** Starts the server; resolves when it listens. */
export async function startCoapGateway(options: CoapGatewayOptions): Promise<CoapGateway> {
  const server = createServer();
  const { port, address = '127.0.0.1', limits } = options;
  const guard = await CoapGuard.listen(server, port, address, MAX_BODY_BYTES, limits ?? null);
  const gateway = new Gateway(options, guard);
  server.on('request', (request: IncomingMessage, response: OutgoingMessage) => {
    // A client that never acknowledges; without a listener the error would be the end of the process.
    response.on('error', () => undefined);
    gateway.handle(request, response).catch(() => finish(response, bare(ResponseCode.InternalServerError)));
  });
  server.on('error', () => undefined);
  return {
    port: guard.socket.address().port,
    counts: guard.counts,
    close: () => {
      server.close();
      guard.close();
    },
  };
}

const bare = (code: number): Answer => ({ code, payload: new Uint8Array(0) });

class Gateway {
  private readonly observers: Observers;
  /** Requests being answered: a repetition of one meanwhile is not run again. */
  private readonly underWay = new Set<string>();
  /** Answers that may be fetched block by block. */
  private readonly answers = new BoundedBlockCache(ANSWER_LIFETIME_MS, () => null);

  constructor(
    private readonly options: CoapGatewayOptions,
    guard: CoapGuard,
  ) {
    this.observers = new Observers({
      settled: (address, port) => guard.settled(address, port),
      forget: (address, port) => guard.forget(address, port),
    });
  }

  async handle(request: IncomingMessage, response: OutgoingMessage): Promise<void> {
    const { rsinfo, _packet } = request;
    const key = `${rsinfo.address}|${rsinfo.port}|${_packet.messageId}|${_packet.token?.toString('hex')}`;
    if (this.underWay.has(key)) return;
    if (this.underWay.size >= MAX_UNDER_WAY) {
      finish(response, bare(ResponseCode.ServiceUnavailable));
      return;
    }
    this.underWay.add(key);
    try {
      await this.answer(request, response);
    } finally {
      this.underWay.delete(key);
    }
  }

  private async answer(request: IncomingMessage, response: OutgoingMessage): Promise<void> {
    const { router, role = () => 'caller' } = this.options;
    const has = role();
    const [path, query] = request.url.split('?');
    const method = methodNumber(request.method);
    this.observers.end(request);
    const lastBlock = request._packet.options?.find(({ name }) => String(name) === LAST_BLOCK_OPTION);
    if (lastBlock !== undefined) response.setOption('Block1', lastBlock.value as Buffer);
    if (has === null) return finish(response, bare(ResponseCode.Unauthorized));
    if (method === undefined) return finish(response, bare(ResponseCode.NotImplemented));
    if (path === '/.well-known/core') {
      if (method === Method.Get) return this.discover(request, response);
      return finish(response, bare(ResponseCode.MethodNotAllowed));
    }
    const [root, thing, ...rest] = path!.split('/').filter((segment) => segment !== '');
    if (root !== 'things' || thing === undefined) return finish(response, bare(ResponseCode.NotFound));
    if (!includesRole(has, 'caller')) return finish(response, bare(ResponseCode.Forbidden));
    const uri = `/${rest.join('/')}${query === undefined ? '' : `?${query}`}`;
    const ask = (): Promise<Answer> =>
      router.request(thing, { method, uri, payload: request.payload, caller: CALLER, capacity: MAX_BODY_BYTES });
    if (method !== Method.Get) return finish(response, await this.once(request, ask));
    const first = await ask();
    const wanted = request.headers['Observe'] === 0 && first.code >> 5 === 2;
    const observe = (changed: () => void): (() => void) | null => this.options.observe(thing, uri, changed);
    if (wanted && this.observers.begin(request, response, first, ask, observe)) return;
    finish(response, first);
  }

  /** What changes something runs once: later blocks of its answer are of the answer that there was. */
  private async once(request: IncomingMessage, ask: () => Promise<Answer>): Promise<Answer> {
    const { rsinfo, _packet } = request;
    const key = `${keyOf(_packet as ParsedPacket)}/${rsinfo.address}|${rsinfo.port}`;
    const block = _packet.options?.find(({ name }) => name === 'Block2')?.value;
    if (block !== undefined && (blockOf(block as Buffer)?.number ?? 0) > 0)
      return (this.answers.get(key) as Answer | undefined) ?? bare(REQUEST_ENTITY_INCOMPLETE);
    const answer = await ask();
    if (answer.payload.length > MIN_BLOCK_BYTES) this.answers.add(key, answer);
    return answer;
  }

  private discover(request: IncomingMessage, response: OutgoingMessage): void {
    const { router } = this.options;
    const links = router.things().flatMap((thing) =>
      router.services(thing).map(({ service }) => ({
        path: `things/${thing}/${service.path}`,
        attributes: service.attributes,
      })),
    );
    withoutObserve(response);
    response.setOption('Content-Format', LINK_FORMAT);
    response.code = codeText(ResponseCode.Content);
    response.end(linkFormat(links, request.url));
  }
}

function finish(response: OutgoingMessage, { code, payload }: Answer): void {
  withoutObserve(response);
  response.statusCode = response.code = codeText(code);
  response.end(Buffer.from(payload));
}
