// A connection as a stream of server-sent events (WHATWG HTML, 9.2). Takes a reply; gives the connection to write to. Knows no
// event.
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/** Proxies cut connections on which nothing comes. */
const HEARTBEAT_MS = 15_000;

/** From here on the connection is the caller's. */
export function beginEvents(reply: FastifyReply, headers: Readonly<Record<string, string>> = {}): ServerResponse {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    ...headers,
  });
  return raw;
}

/** Keeps the connection alive; `ended` is called when the client has left. */
export function followEvents(raw: ServerResponse, ended: () => void): void {
  const heartbeat = setInterval(() => raw.write(': still here\n\n'), HEARTBEAT_MS);
  raw.on('error', () => undefined);
  raw.on('close', () => {
    clearInterval(heartbeat);
    ended();
  });
}
