// How an edge gets into NATS: addresses with user and password or token, TLS, credentials files. Takes what the user says;
// gives options of the NATS client. Knows no connection.
import { existsSync, readFileSync } from 'node:fs';
import { credsAuthenticator, type NodeConnectionOptions } from '@nats-io/transport-node';
import { DiagnosticError } from '../../compiler/diagnostics.js';

/** Names of files, all optional. */
export interface NatsFiles {
  /** Certificates (PEM) that the server's must be signed by; without it those of the system. */
  readonly ca?: string | undefined;
  /** Certificate and key (PEM) that this edge shows the server. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Credentials (JWT and seed), as `nsc` makes them. */
  readonly creds?: string | undefined;
}

export interface NatsAccess {
  readonly servers: readonly string[];
  readonly connection: NodeConnectionOptions;
}

const DEFAULT_PORT = 4222;

function read(file: string): Buffer {
  if (!existsSync(file)) throw new DiagnosticError('W601', 'no such file', { file });
  return readFileSync(file);
}

function parse(text: string): URL {
  try {
    const url = new URL(/:\/\//.test(text) ? text : `nats://${text}`);
    if ((url.protocol === 'nats:' || url.protocol === 'tls:') && url.hostname !== '') return url;
  } catch {
    // Said below.
  }
  throw new DiagnosticError('W605', `"${text}" is no address of NATS: nats://HOST[:PORT] or tls://HOST[:PORT]`);
}

/**
 * @param text one address or several with commas: `nats://HOST:PORT`, `tls://HOST:PORT`, with `USER:PASSWORD@` or `TOKEN@`
 * @throws DiagnosticError W605 for what is no address, W601 for a file that is not there
 */
export function natsAccess(text: string, { ca, cert, key, creds }: NatsFiles = {}): NatsAccess {
  const urls = text.split(',').map((part) => parse(part.trim()));
  const [{ username, password }] = urls as [URL];
  const files = {
    ...(ca === undefined ? {} : { ca: read(ca).toString() }),
    ...(cert === undefined ? {} : { cert: read(cert).toString() }),
    ...(key === undefined ? {} : { key: read(key).toString() }),
  };
  // With these the client refuses a server that has no TLS: nobody on the way can take it out.
  const tls = urls.some(({ protocol }) => protocol === 'tls:') || Object.keys(files).length > 0;
  const user = decodeURIComponent(username);
  return {
    servers: urls.map(({ hostname, port }) => `${hostname}:${port === '' ? DEFAULT_PORT : port}`),
    connection: {
      ...(tls ? { tls: files } : {}),
      ...(creds === undefined ? {} : { authenticator: credsAuthenticator(new Uint8Array(read(creds))) }),
      ...(user === '' ? {} : password === '' ? { token: user } : { user, pass: decodeURIComponent(password) }),
    },
  };
}
