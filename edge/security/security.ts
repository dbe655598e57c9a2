// The security of one edge, as one object: tokens, TLS, identity in the fleet. Takes the data directory and what the
// command line said; gives what server, gateways and links need. Knows no thing and no module.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { PlainEnvelopes, SignedEnvelopes, type Envelopes } from './envelope.js';
import { readIdentity, RENEW_BEFORE_MS } from './enrolment.js';
import { checkCoap, checkHttp, checkNats, isLoopback } from './exposure.js';
import { HttpSecurity } from './http-security.js';
import { securityFolder, tokenFile } from './places.js';
import { Revocations } from './revocation.js';
import type { Role } from './roles.js';
import { loopbackNames } from './same-origin.js';
import { ownTls, readTls, type TlsFiles, type TlsIdentity } from './tls.js';
import { TokenStore } from './tokens.js';

export interface SecurityOptions {
  /** Name of the edge. */
  readonly name: string;
  /** Keys and tokens are in `security` below it; null: none, and tokens end with the process. */
  readonly dataDirectory: string | null;
  /** Where HTTP listens; default 127.0.0.1. */
  readonly address?: string;
  /** Where CoAP listens; default 127.0.0.1, whatever HTTP does. */
  readonly coapAddress?: string;
  /** `own`: a certificate that the edge makes itself. */
  readonly tls?: 'off' | 'own' | TlsFiles;
  /** The user wants what would be refused otherwise. */
  readonly insecure?: boolean;
  /** What CoAP clients may do once people have tokens, which CoAP cannot carry; default: nothing. */
  readonly coapRole?: 'viewer' | 'caller' | null;
  /** URL of the NATS server, if there is one. */
  readonly nats?: string | null;
}

const LOOPBACK = '127.0.0.1';
/** A .wasm over a slow line; a client that says nothing for longer is cut off. */
const REQUEST_TIMEOUT_MS = 120_000;
const HEADERS_TIMEOUT_MS = 15_000;
const BODY_BYTES = 64 * 1024;
const URL_PARAMETER_BYTES = 512;
const MAX_CONNECTIONS = 1_000;

export class Security {
  private readonly http: HttpSecurity;

  private constructor(
    private readonly options: SecurityOptions,
    readonly tokens: TokenStore,
    /** Null: plain HTTP. */
    readonly tls: TlsIdentity | null,
    /** What messages between edges travel in. */
    readonly envelopes: Envelopes,
    /** Whether this edge has a certificate of its fleet. */
    readonly enrolled: boolean,
    /** What people should be told at the start. */
    readonly warnings: readonly string[],
  ) {
    const { address = LOOPBACK } = options;
    const openHosts = isLoopback(address) ? loopbackNames(address) : null;
    this.http = new HttpSecurity({ tokens, tls: tls !== null, openHosts });
  }

  /**
   * Reads keys and tokens and checks that together they are safe.
   * @throws DiagnosticError W910 to W913
   */
  static async open(options: SecurityOptions): Promise<Security> {
    const { name, dataDirectory, address = LOOPBACK, coapAddress = LOOPBACK, insecure = false, tls = 'off' } = options;
    const tokens = new TokenStore(dataDirectory === null ? null : tokenFile(dataDirectory));
    checkHttp({ address, tokens: tokens.any, tls: tls !== 'off', insecure });
    checkCoap(coapAddress, insecure);
    const folder = dataDirectory === null ? null : securityFolder(dataDirectory);
    const identity = folder === null ? null : readIdentity(folder, name);
    if (options.nats) checkNats(options.nats, identity !== null, insecure);
    const pair = tls === 'off' ? null : tls === 'own' ? await ownTls(folder, [address]) : readTls(tls);
    const envelopes =
      identity === null || folder === null
        ? new PlainEnvelopes(name)
        : new SignedEnvelopes({ ...identity, revoked: new Revocations(folder, identity.rootText) });
    const warnings: string[] = [];
    if (identity !== null && identity.expires - Date.now() < RENEW_BEFORE_MS)
      warnings.push(`the certificate of this edge ends on ${new Date(identity.expires).toISOString().slice(0, 10)}`);
    if (insecure && !isLoopback(address))
      warnings.push(
        tokens.any
          ? `--insecure: ${address} is open to the network${pair === null ? ', tokens cross it readable to all' : ''}`
          : `--insecure: everybody who reaches ${address} can do everything here`,
      );
    return new Security(options, tokens, pair, envelopes, identity !== null, warnings);
  }

  /** Options for `fastify()`: TLS and limits of what a client can hold up. */
  serverOptions() {
    const limits = {
      bodyLimit: BODY_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      routerOptions: { maxParamLength: URL_PARAMETER_BYTES },
    };
    const { tls } = this;
    const timeouts = { headersTimeout: HEADERS_TIMEOUT_MS };
    if (tls === null) return { ...limits, http: timeouts };
    return { ...limits, https: { key: tls.key, cert: tls.cert, minVersion: 'TLSv1.2' as const, ...timeouts } };
  }

  /** Adds hooks and the routes of sessions and tokens. Before all other routes. */
  async protect(server: FastifyInstance): Promise<void> {
    server.server.maxConnections = MAX_CONNECTIONS;
    await this.http.protect(server);
  }

  /** Name that services see as the caller of an HTTP request. */
  readonly callerOf = (request: FastifyRequest): string => this.http.callerOf(request);

  /** What a CoAP client may do now; null: nothing. */
  readonly coapRole = (): Role | null => (this.http.isClosed() ? (this.options.coapRole ?? null) : 'caller');
}
