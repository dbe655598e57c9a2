// The door of an edge's HTTP side: who a request comes from, whether the route lets them in, and what browsers may do with
// the answers. Takes tokens and sessions; adds hooks and the routes for logging in and for tokens to a fastify server.
// Knows no thing and no module.
import fastifyCookie from '@fastify/cookie';
import fastifyHelmet from '@fastify/helmet';
import fastifyRateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { userCaller } from './callers.js';
import { includesRole, roleFor, type Role } from './roles.js';
import { SESSION_MS, Sessions } from './sessions.js';
import { foreignRequest } from './same-origin.js';
import { parseLifetime, type TokenRecord, type TokenStore } from './tokens.js';

export interface HttpSecurityOptions {
  readonly tokens: TokenStore;
  /** Cookies are for TLS only then. */
  readonly tls: boolean;
  /** Names in the Host header that are this edge while it asks nobody for a token; null: any. */
  readonly openHosts: ReadonlySet<string> | null;
  /** Wrong tokens from one address in a minute; more get 429. */
  readonly maxFailures?: number;
}

/** What is known of who asks: with tokens in use null means nobody, without it is everybody. */
interface Identity {
  readonly record: TokenRecord | null;
  readonly role: Role;
}

/** What services see while nobody has a token. */
const ANONYMOUS = 'http';
const DEFAULT_MAX_FAILURES = 20;
/** How often files and ends of tokens are looked at for answers that are still under way. */
const SWEEP_MS = 2_000;
/** Requests of one token that are being answered at a time. */
const MAX_OPEN = 128;

export class HttpSecurity {
  private readonly sessions = new Sessions();
  private readonly identities = new WeakMap<FastifyRequest, Identity>();
  /** Requests being answered, event streams among them, that end with their token. */
  private readonly open = new Map<FastifyRequest, string>();
  /** Once tokens are in use they stay so: revoking the last one opens nothing. */
  private closed = false;

  constructor(private readonly options: HttpSecurityOptions) {
    this.isClosed();
  }

  /** Whether a token is asked for. */
  isClosed(): boolean {
    this.closed ||= this.options.tokens.any;
    return this.closed;
  }

  /** Name that services see as the caller of a request. */
  callerOf(request: FastifyRequest): string {
    const record = this.identities.get(request)?.record;
    return record === undefined || record === null ? ANONYMOUS : userCaller(record.name);
  }

  /** Adds everything to a server, before any other route. */
  async protect(server: FastifyInstance): Promise<void> {
    await server.register(fastifyHelmet, HEADERS);
    await server.register(fastifyCookie);
    const max = this.options.maxFailures ?? DEFAULT_MAX_FAILURES;
    await server.register(fastifyRateLimit, { global: false });
    const failures = server.createRateLimit({ max, timeWindow: '1 minute' });
    server.addHook('onRequest', async (request, reply) => {
      const foreign = foreignRequest(request, this.isClosed() ? null : this.options.openHosts);
      if (foreign !== null) return refuse(reply, 403, foreign);
      if (request.url.startsWith('/api/')) void reply.header('cache-control', 'no-store');
      const wanted = this.wanted(request);
      const identity = this.identify(request);
      if (identity !== null) {
        this.identities.set(request, identity);
        if (identity.record !== null && !this.begin(request, reply, identity.record.id))
          return tooMany(reply, 1, 'too many requests at a time with this token');
      }
      if (wanted === null) return;
      if (identity === null) {
        const wrong = request.headers.authorization !== undefined;
        const limit = wrong && !hasLeft(request) ? await failures(request) : null;
        if (limit?.isAllowed === false && limit.isExceeded) return tooMany(reply, limit.ttlInSeconds);
        void reply.header('www-authenticate', 'Bearer realm="thingspire"');
        return refuse(reply, 401, wrong ? 'this token does not count (any more)' : 'a token is needed');
      }
      if (!includesRole(identity.role, wanted))
        return refuse(reply, 403, `${wanted} may do this; ${identity.record!.name} is ${identity.role}`);
    });
    const sweep = setInterval(() => this.sweep(), SWEEP_MS);
    sweep.unref();
    server.addHook('onClose', async () => clearInterval(sweep));
    this.addSessionRoutes(server, failures);
    this.addTokenRoutes(server);
  }

  private wanted(request: FastifyRequest): Role | null {
    const { url } = request.routeOptions;
    // What is not there is told to whoever may look at all.
    return url === undefined ? 'viewer' : roleFor(request.method, url);
  }

  /** Null: tokens are in use and the request carries none that counts. */
  private identify(request: FastifyRequest): Identity | null {
    this.options.tokens.refresh();
    if (!this.isClosed()) return { record: null, role: 'admin' };
    const record = this.recordOf(request);
    return record === null ? null : { record, role: record.role };
  }

  private recordOf(request: FastifyRequest): TokenRecord | null {
    const { tokens } = this.options;
    const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (bearer !== undefined) return tokens.find(bearer);
    if (request.headers.authorization !== undefined) return null;
    const number = request.cookies[this.cookieName(request)];
    const id = number === undefined ? null : this.sessions.find(number);
    return id === null ? null : tokens.alive(id);
  }

  /** Cookies do not tell ports apart: two edges on one machine must not end each other's sessions. */
  private cookieName(request: FastifyRequest): string {
    return `${this.options.tls ? '__Host-' : ''}thingspire-${request.socket.localPort ?? 0}`;
  }

  /** False: with event streams that nobody closes one token must not take all connections. */
  private begin(request: FastifyRequest, reply: FastifyReply, id: string): boolean {
    let count = 0;
    for (const other of this.open.values()) if (other === id) count++;
    if (count >= MAX_OPEN) return false;
    this.open.set(request, id);
    // Also of an answer that is written past the framework, and when the client leaves.
    reply.raw.once('close', () => this.open.delete(request));
    return true;
  }

  private sweep(): void {
    const { tokens } = this.options;
    try {
      tokens.refresh();
    } catch {
      // A broken file: what was read before counts until it is whole; the next request says what is wrong.
      return;
    }
    for (const [request, id] of this.open) if (tokens.alive(id) === null) request.raw.destroy();
  }

  private addSessionRoutes(server: FastifyInstance, failures: ReturnType<FastifyInstance['createRateLimit']>): void {
    const cookie = { path: '/', httpOnly: true, sameSite: 'strict', secure: this.options.tls } as const;
    server.post('/api/session', { bodyLimit: 1024 }, async (request, reply) => {
      const token = jsonBody(request)['token'];
      if (hasLeft(request)) return refuse(reply, 401, 'gone');
      const before = await failures(request, { increment: false });
      if (!before.isAllowed && before.isExceeded) return tooMany(reply, before.ttlInSeconds);
      const record = typeof token === 'string' ? this.options.tokens.find(token) : null;
      if (record === null) {
        const limit = await failures(request);
        if (!limit.isAllowed && limit.isExceeded) return tooMany(reply, limit.ttlInSeconds);
        return refuse(reply, 401, 'this token does not count (any more)');
      }
      const maxAge = Math.floor(Math.min(SESSION_MS, (record.expires ?? Infinity) - Date.now()) / 1000);
      void reply.setCookie(this.cookieName(request), this.sessions.begin(record.id), { ...cookie, maxAge });
      return { name: record.name, role: record.role, expires: record.expires };
    });
    server.delete('/api/session', async (request, reply) => {
      const number = request.cookies[this.cookieName(request)];
      if (number !== undefined) this.sessions.end(number);
      return reply.clearCookie(this.cookieName(request), cookie).status(204).send();
    });
    server.get('/api/whoami', (request) => {
      const { record, role } = this.identities.get(request)!;
      const caller = this.callerOf(request);
      return { name: record?.name ?? null, role, caller, expires: record?.expires ?? null };
    });
  }

  private addTokenRoutes(server: FastifyInstance): void {
    const { tokens } = this.options;
    server.get('/api/tokens', () => tokens.list().map(({ hash: _, ...shown }) => shown));
    server.post('/api/tokens', { bodyLimit: 1024 }, async (request, reply) => {
      const { name, role, expires } = jsonBody(request);
      if (!this.isClosed() && role !== 'admin')
        return refuse(reply, 400, 'the first token must be an admin’s: nobody could make the others');
      try {
        const lifetime = expires === undefined || expires === null ? null : parseLifetime(String(expires));
        const { token, record } = tokens.add(String(name), String(role), lifetime);
        return reply.status(201).send({ token, name: record.name, role: record.role, expires: record.expires });
      } catch (error) {
        if (error instanceof DiagnosticError && error.code === 'W911') return refuse(reply, 400, error.message);
        throw error;
      }
    });
    server.delete('/api/tokens/:name', async (request, reply) => {
      const { name } = request.params as { name: string };
      if (!tokens.revoke(name)) return refuse(reply, 404, `nobody named "${name}" has a token`);
      this.sweep();
      return reply.status(204).send();
    });
  }
}

/** The client has closed the connection: it has no address any more to count by, and hears no answer. */
const hasLeft = ({ socket }: FastifyRequest): boolean => socket.remoteAddress === undefined;

function refuse(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply.status(status).send({ status, message });
}

function tooMany(reply: FastifyReply, seconds: number, what = 'too many wrong tokens from this address'): FastifyReply {
  void reply.header('retry-after', seconds);
  return refuse(reply, 429, `${what}: wait ${seconds} s`);
}

/** Bodies arrive as bytes (the gateway's parser) or as values; anything that is no object is an empty one. */
function jsonBody(request: FastifyRequest): Readonly<Record<string, unknown>> {
  let value: unknown = request.body;
  if (Buffer.isBuffer(value)) {
    try {
      value = JSON.parse(value.toString('utf8'));
    } catch {
      return {};
    }
  }
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/**
 * What browsers may do with what they get: scripts, styles and connections of this edge only, in no frame. No
 * Strict-Transport-Security: with a self-signed certificate it would lock people out for good.
 */
const HEADERS = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      imgSrc: ["'self'", 'data:'],
      objectSrc: ["'none'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
  },
  strictTransportSecurity: false,
  crossOriginResourcePolicy: { policy: 'same-origin' },
  frameguard: { action: 'deny' },
} as const;
