// Requests that a foreign web page makes through a browser which can reach the edge: cross-site requests and DNS rebinding.
// Takes headers, gives a reason or null. Knows no tokens.
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';

/**
 * Why a request is a foreign page's doing; null: it is not. Programs send none of these headers and are not touched.
 * @param hosts names that are this edge, without port; null: any (a token is asked for, which no foreign page has)
 */
export function foreignRequest(
  { headers, method, url }: Pick<FastifyRequest, 'headers' | 'method' | 'url'>,
  hosts: ReadonlySet<string> | null,
): string | null {
  const host = headers.host ?? '';
  if (hosts !== null && !hosts.has(nameOf(host)))
    return `"${host}" is not a name of this edge (a web page may have sent this); add a token to use other names`;
  const { origin } = headers;
  if (origin !== undefined && hostOf(origin) !== host) return `a request of the web page ${origin}`;
  const site = headers['sec-fetch-site'];
  // A link to the page from elsewhere is fine; one to a service would run it.
  const link = headers['sec-fetch-mode'] === 'navigate' && method === 'GET' && /^\/(?:$|\?|page\/)/.test(url);
  if ((site === 'cross-site' || site === 'same-site') && !link) return 'a request of another web page';
  return null;
}

/** The names of an edge that listens on an address of this machine only, and on none beside. */
export function loopbackNames(address: string): ReadonlySet<string> {
  return new Set(['localhost', '127.0.0.1', '[::1]', isIP(address) === 6 ? `[${address}]` : address]);
}

/** `localhost:8080` -> `localhost`. */
const nameOf = (host: string): string => host.replace(/:\d*$/, '').toLowerCase();

function hostOf(origin: string): string | null {
  try {
    return new URL(origin).host;
  } catch {
    return null;
  }
}
