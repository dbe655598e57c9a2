// Serves the page of an edge: `/` and `/page/*`. Takes a fastify server; adds the routes. Knows nothing of the fleet: the
// page asks the HTTP interface itself.
import { createRequire } from 'node:module';
import { join, sep } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { packageRoot } from '../../linker/runtime-objects.js';

/**
 * Everything from this edge, nothing inline, nothing that makes markup of strings (but lit-html, whose templates are
 * constants of the page).
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types lit-html',
].join('; ');

const HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  // Files have an ETag: asked for each time, sent when they have changed, so that an update of the edge is one of the page.
  'cache-control': 'no-cache',
} as const;

/** The page is plain modules and style sheets, the same files in the source tree and in the npm package. */
const pageFolder = (): string => join(packageRoot(), 'edge', 'web', 'page');

/** Its one library comes from where npm has put it. */
function litFolder(): string {
  const file = createRequire(import.meta.url).resolve('lit-html');
  const name = `${sep}lit-html${sep}`;
  return file.slice(0, file.lastIndexOf(name) + name.length - 1);
}

/** Adds the page; it may be looked at by anybody, since what it shows comes from the guarded interface. */
export function addPage(server: FastifyInstance): void {
  const common = {
    index: false,
    cacheControl: false,
    setHeaders: (reply: FastifyReply) => void reply.headers(HEADERS),
  } as const;
  const allowedPath = (path: string): boolean => /\.js$/.test(path);
  void server.register(fastifyStatic, { ...common, root: pageFolder(), prefix: '/page/' });
  void server.register(fastifyStatic, {
    ...common,
    root: litFolder(),
    prefix: '/page/lit-html/',
    decorateReply: false,
    allowedPath,
  });
  const index = (_request: unknown, reply: FastifyReply): FastifyReply => reply.sendFile('index.html', pageFolder());
  server.get('/', index);
}
