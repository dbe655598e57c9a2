// The door of an edge: who gets in with which token, what foreign web pages cannot do, when an edge refuses to start.
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import fastify, { type FastifyInstance, type InjectOptions } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { tokenFile } from './places.js';
import { Security, type SecurityOptions } from './security.js';
import { fingerprintOf } from './fingerprint.js';
import { parseLifetime, TokenStore } from './tokens.js';

const folders: string[] = [];
const servers: FastifyInstance[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  for (const path of folders.splice(0)) rmSync(path, { recursive: true });
});
const newFolder = (): string => {
  folders.push(mkdtempSync(join(tmpdir(), 'security-')));
  return folders.at(-1)!;
};

/** A server with one route of each kind, as an edge has them. */
async function start(options: Partial<SecurityOptions> = {}) {
  const security = await Security.open({ name: 'a', dataDirectory: newFolder(), ...options });
  const server: FastifyInstance = fastify({ ...security.serverOptions(), forceCloseConnections: true } as object);
  servers.push(server);
  await security.protect(server);
  for (const url of ['/', '/page/app.js', '/api/fleet', '/things', '/things/:thing', '/openapi.json', '/odd'])
    server.get(url, () => 'fine');
  server.get('/api/events', (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
    reply.raw.write(': hello\n\n');
  });
  server.route({
    method: ['GET', 'PUT', 'POST', 'DELETE'],
    url: '/things/:thing/*',
    handler: (request) => security.callerOf(request),
  });
  server.put('/api/things/:thing/modules', () => 'fine');
  const ask = async (options: InjectOptions): Promise<number> =>
    (await server.inject({ ...options, headers: { host: 'localhost', ...options.headers } })).statusCode;
  return { security, server, ask };
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const codeOf = async (run: () => unknown): Promise<string> => {
  try {
    await run();
  } catch (error) {
    if (error instanceof DiagnosticError) return error.code;
    throw error;
  }
  return 'fine';
};

describe('tokens', () => {
  it('are kept as hashes in a file that only its owner reads, and checked against it', async () => {
    const path = tokenFile(newFolder());
    const store = new TokenStore(path);
    expect(store.any).toBe(false);
    const { token } = store.add('anna', 'operator', null);
    expect(readFileSync(path, 'utf8')).not.toContain(token.slice(17));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const other = new TokenStore(path);
    expect(other.find(token)).toMatchObject({ name: 'anna', role: 'operator' });
    for (const wrong of [
      '',
      'x',
      `${token}x`,
      token.slice(0, -1),
      token.replace(/.$/, token.endsWith('A') ? 'B' : 'A'),
    ])
      expect(other.find(wrong)).toBeNull();
    expect(await codeOf(() => other.add('anna', 'viewer', null))).toBe('W911');
    expect(await codeOf(() => other.add('No Name', 'viewer', null))).toBe('W911');
    expect(await codeOf(() => other.add('bob', 'king', null))).toBe('W911');
    expect([other.revoke('anna'), other.revoke('anna'), other.find(token)]).toEqual([true, false, null]);
    // Another process changed the file.
    store.refresh();
    expect(store.find(token)).toBeNull();
    chmodSync(path, 0o640);
    expect(await codeOf(() => new TokenStore(path))).toBe('W913');
    chmodSync(path, 0o600);
    writeFileSync(path, '{"version":1,"tokens":[{"name":"x"}]}');
    expect(await codeOf(() => new TokenStore(path))).toBe('W911');
  });

  it('end', () => {
    let now = 1000;
    const store = new TokenStore(null, () => now);
    const { token } = store.add('anna', 'viewer', parseLifetime('2m'));
    now += 119_999;
    expect(store.find(token)?.name).toBe('anna');
    now += 1;
    expect([store.find(token), store.list(), store.any]).toEqual([null, [], true]);
    expect(store.add('anna', 'viewer', null).record.name).toBe('anna');
    expect(['30d', '12h', '1y'].map(parseLifetime)).toEqual([2_592_000_000, 43_200_000, 31_536_000_000]);
    for (const wrong of ['', '0d', '3', 'd', '-1d', '1w', '1.5h']) expect(() => parseLifetime(wrong)).toThrow('time');
  });
});

describe('roles', () => {
  const ROUTES: readonly (readonly [string, InjectOptions['method'] & string])[] = [
    ['/api/fleet', 'GET'],
    ['/things/porch', 'GET'],
    ['/things/porch/lamp', 'GET'],
    ['/things/porch/lamp', 'PUT'],
    ['/api/things/porch/modules', 'PUT'],
    ['/api/tokens', 'GET'],
    ['/odd', 'GET'],
  ];
  const EXPECTED = {
    viewer: [200, 200, 403, 403, 403, 403, 403],
    caller: [200, 200, 200, 200, 403, 403, 403],
    operator: [200, 200, 200, 200, 200, 403, 403],
    admin: [200, 200, 200, 200, 200, 200, 200],
  } as const;

  it('open what they should on every kind of route', async () => {
    const { security, ask, server } = await start();
    for (const role of Object.keys(EXPECTED) as (keyof typeof EXPECTED)[]) {
      const { token } = security.tokens.add(role, role, null);
      const got = await Promise.all(ROUTES.map(([url, method]) => ask({ url, method, headers: bearer(token) })));
      expect([role, got]).toEqual([role, EXPECTED[role]]);
      const { body } = await server.inject({ url: '/api/whoami', headers: bearer(token) });
      expect(JSON.parse(body)).toEqual({ name: role, role, caller: `user:${role}`, expires: null });
    }
    const without = await Promise.all(ROUTES.map(([url, method]) => ask({ url, method })));
    expect(without).toEqual(ROUTES.map(() => 401));
    // The page itself, and what is not there.
    expect([await ask({ url: '/' }), await ask({ url: '/page/app.js' }), await ask({ url: '/none' })]).toEqual([
      200, 200, 401,
    ]);
    // What a client says of itself does not count.
    const { token } = security.tokens.add('eve', 'caller', null);
    const forged = { ...bearer(token), 'x-caller': 'user:admin', 'x-forwarded-user': 'admin' };
    const { body } = await server.inject({ url: '/things/porch/lamp?caller=user:admin', headers: forged });
    expect(body).toBe('user:eve');
  });

  it('are nobody’s business on a fresh edge, until the first token; the last one opens nothing again', async () => {
    const { server, ask, security } = await start();
    expect([await ask({ url: '/api/fleet' }), await ask({ url: '/api/tokens' })]).toEqual([200, 200]);
    expect((await server.inject({ url: '/things/a/b', headers: { host: 'localhost:8080' } })).body).toBe('http');
    const add = (payload: object, headers = {}) =>
      server.inject({ method: 'POST', url: '/api/tokens', payload, headers: { host: 'localhost', ...headers } });
    expect((await add({ name: 'anna', role: 'viewer' })).statusCode).toBe(400);
    expect(security.coapRole()).toBe('caller');
    const made = await add({ name: 'anna', role: 'admin', expires: '30d' });
    expect(made.statusCode).toBe(201);
    const { token } = made.json() as { token: string };
    expect(security.coapRole()).toBeNull();
    expect((await add({ name: 'bob', role: 'viewer' })).statusCode).toBe(401);
    expect((await add({ name: 'bob', role: 'viewer', expires: 'soon' }, bearer(token))).statusCode).toBe(400);
    expect((await add({ name: 'bob', role: 'viewer' }, bearer(token))).statusCode).toBe(201);
    const list = await server.inject({ url: '/api/tokens', headers: bearer(token) });
    expect((list.json() as { name: string }[]).map(({ name }) => name)).toEqual(['anna', 'bob']);
    expect(list.body).not.toContain('hash');
    const remove = (name: string) => ask({ method: 'DELETE', url: `/api/tokens/${name}`, headers: bearer(token) });
    expect([await remove('bob'), await remove('bob'), await remove('anna')]).toEqual([204, 404, 204]);
    expect([await ask({ url: '/api/fleet', headers: bearer(token) }), await ask({ url: '/api/fleet' })]).toEqual([
      401, 401,
    ]);
  });

  it('end an event stream with its token', async () => {
    const { server, security } = await start();
    const { token } = security.tokens.add('anna', 'viewer', null);
    security.tokens.add('root', 'admin', null);
    const url = await server.listen({ port: 0, host: '127.0.0.1' });
    const stream = await fetch(`${url}/api/events`, { headers: bearer(token) });
    const reader = stream.body!.getReader();
    expect(Buffer.from((await reader.read()).value!).toString()).toBe(': hello\n\n');
    security.tokens.revoke('anna');
    await expect(reader.read()).rejects.toThrow();
  });
});

it('one token does not take all connections', async () => {
  const { server, security } = await start();
  const { token } = security.tokens.add('anna', 'viewer', null);
  const other = security.tokens.add('bob', 'viewer', null).token;
  const url = await server.listen({ port: 0, host: '127.0.0.1' });
  const end = new AbortController();
  const open = () => fetch(`${url}/api/events`, { headers: bearer(token), signal: end.signal });
  const streams = await Promise.all(Array.from({ length: 134 }, open));
  expect(streams.filter(({ status }) => status === 200).length).toBe(128);
  expect((await fetch(`${url}/api/fleet`, { headers: bearer(token) })).status).toBe(429);
  expect((await fetch(`${url}/api/fleet`, { headers: bearer(other) })).status).toBe(200);
  end.abort();
  await expect
    .poll(async () => (await fetch(`${url}/api/fleet`, { headers: bearer(token) })).status, { timeout: 20_000 })
    .toBe(200);
});

describe('browsers', () => {
  it('log in for a cookie that scripts and other sites cannot use', async () => {
    const { server, security, ask } = await start();
    const { token } = security.tokens.add('anna', 'viewer', null);
    const login = (payload: object) => server.inject({ method: 'POST', url: '/api/session', payload });
    expect((await login({ token: 'no' })).statusCode).toBe(401);
    const good = await login({ token });
    expect([good.statusCode, good.json()]).toEqual([200, { name: 'anna', role: 'viewer', expires: null }]);
    const [cookie] = good.cookies;
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/' });
    expect(cookie!.value).not.toContain(token);
    const cookies = { [cookie!.name]: cookie!.value };
    expect(await ask({ url: '/api/fleet', cookies })).toBe(200);
    expect(await ask({ url: '/api/fleet', cookies: { [cookie!.name]: 'x' } })).toBe(401);
    expect(await ask({ url: '/api/things/a/modules', method: 'PUT', cookies })).toBe(403);
    expect(await ask({ url: '/api/session', method: 'DELETE', cookies })).toBe(204);
    expect(await ask({ url: '/api/fleet', cookies })).toBe(401);
    const again = (await login({ token })).cookies[0]!;
    security.tokens.revoke('anna');
    expect(await ask({ url: '/api/fleet', cookies: { [again.name]: again.value } })).toBe(401);
  });

  it('are stopped when a foreign page sends them', async () => {
    const { ask } = await start();
    const put = (headers: Record<string, string>, url = '/things/porch/lamp') => ask({ method: 'PUT', url, headers });
    expect(await put({})).toBe(200);
    expect(await put({ host: 'localhost:8080', origin: 'http://localhost:8080' })).toBe(200);
    expect(await put({ host: 'localhost:8080', origin: 'http://evil.example' })).toBe(403);
    expect(await put({ host: 'localhost:8080', origin: 'http://localhost:3000' })).toBe(403);
    expect(await put({ origin: 'null' })).toBe(403);
    // A name that its owner has pointed at 127.0.0.1: to the browser it is the same origin.
    expect(await put({ host: 'evil.example:8080', origin: 'http://evil.example:8080' })).toBe(403);
    const get = (url: string, mode: string) =>
      ask({ url, headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': mode } });
    expect([await get('/things/porch/lamp', 'no-cors'), await get('/things/porch/lamp', 'navigate')]).toEqual([
      403, 403,
    ]);
    expect([await get('/', 'navigate'), await get('/', 'no-cors')]).toEqual([200, 403]);
  });

  it('are told to run nothing but the page, and to keep nothing', async () => {
    const { server } = await start();
    const { headers } = await server.inject({ url: '/api/fleet', headers: { host: 'localhost' } });
    expect(headers['content-security-policy']).toContain("default-src 'self'");
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    });
    expect(headers['strict-transport-security']).toBeUndefined();
  });

  it('cannot try tokens for long', async () => {
    const { server, security } = await start();
    const { token } = security.tokens.add('anna', 'viewer', null);
    const login = async (text: string) =>
      (await server.inject({ method: 'POST', url: '/api/session', payload: { token: text } })).statusCode;
    const tries: number[] = [];
    for (let i = 0; i < 22; i++) tries.push(await login(`wrong ${i}`));
    expect(tries).toEqual([...Array<number>(20).fill(401), 429, 429]);
    expect(await login(token)).toBe(429);
    // Whoever has a token is not kept out by others behind the same address.
    expect((await server.inject({ url: '/api/fleet', headers: bearer(token) })).statusCode).toBe(200);
  });
});

describe('an edge', () => {
  it('refuses to be open to the network by accident', async () => {
    const dataDirectory = newFolder();
    const open = (options: Partial<SecurityOptions>) =>
      codeOf(() => Security.open({ name: 'a', dataDirectory, address: '0.0.0.0', ...options }));
    expect(await open({ address: '127.0.0.1' })).toBe('fine');
    expect(await open({ address: '::1' })).toBe('fine');
    expect([await open({}), await open({ tls: 'own' }), await open({ insecure: true })]).toEqual([
      'W910',
      'W910',
      'fine',
    ]);
    new TokenStore(tokenFile(dataDirectory)).add('anna', 'admin', null);
    expect([await open({}), await open({ tls: 'own' }), await open({ insecure: true })]).toEqual([
      'W910',
      'fine',
      'fine',
    ]);
    expect(await open({ tls: 'own', coapAddress: '0.0.0.0' })).toBe('W910');
    const nats = (url: string, insecure = false) => open({ address: '127.0.0.1', nats: url, insecure });
    expect(await nats('nats://127.0.0.1:4222')).toBe('fine');
    expect([await nats('nats://10.0.0.1:4222'), await nats('nats://10.0.0.1:4222', true)]).toEqual(['W910', 'fine']);
  });

  it('keeps its own certificate, which clients pin', { timeout: 60_000 }, async () => {
    const dataDirectory = newFolder();
    const options = { name: 'a', dataDirectory, tls: 'own' } as const;
    const [first, second] = [await Security.open(options), await Security.open(options)];
    expect(first.tls!.fingerprint).toBe(second.tls!.fingerprint);
    expect(first.tls!.fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    const server = createServer({ key: first.tls!.key, cert: first.tls!.cert }, (_, response) => response.end('fine'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const seen = await new Promise<string>((resolve, reject) => {
      const request = httpsRequest({ port, host: '127.0.0.1', ca: second.tls!.cert }, (response) => {
        resolve(fingerprintOf((response.socket as TLSSocket).getPeerCertificate().raw));
        response.resume();
      });
      request.on('error', reject);
      request.end();
    });
    server.close();
    expect(seen).toBe(first.tls!.fingerprint);
    const cert = join(dataDirectory, 'c.pem');
    const key = join(dataDirectory, 'k.pem');
    writeFileSync(cert, first.tls!.cert);
    writeFileSync(key, first.tls!.key, { mode: 0o600 });
    const files = (certificate: string, keyFile: string) =>
      codeOf(() => Security.open({ ...options, tls: { certificate, key: keyFile } }));
    expect(await files(cert, key)).toBe('fine');
    expect(await files(key, key)).toBe('W910');
    expect([await files(join(dataDirectory, 'x'), key), await files(cert, join(dataDirectory, 'x'))]).toEqual([
      'W601',
      'W601',
    ]);
    chmodSync(key, 0o644);
    expect(await files(cert, key)).toBe('W913');
    const other = await Security.open({ ...options, dataDirectory: newFolder() });
    chmodSync(key, 0o600);
    writeFileSync(key, other.tls!.key);
    expect(await files(cert, key)).toBe('W910');
  });
});
