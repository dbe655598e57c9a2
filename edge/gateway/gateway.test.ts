// HTTP and CoAP in front of a real edge with one module; the clients are fastify's injector and the `coap` library.
import fastify, { type FastifyInstance } from 'fastify';
import coap from 'coap';
import type { CoapGateway } from './coap.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embedManifest } from '../../manifest/section.js';
import { EdgePlace, modelOfPackage, serviceEntries } from '../fleet/edge-place.js';
import { EmbeddedRegistry } from '../registry/embedded.js';
import { Router } from '../router/router.js';
import { assemble, modelsOf } from '../test-support/edge.js';
import { startCoapGateway } from './coap.js';
import { addHttpGateway } from './http.js';
import { payloadFromJson, payloadToJson } from './json.js';

const HANDLER = '(param $p i32) (param $n i32) (param $r i32) (param $c i32) (result i32)';
const thermostat = {
  name: 'thermostat',
  provides: [
    {
      method: 'GET',
      path: '/target',
      handler: 'get',
      observable: true,
      attributes: { rt: 'temperature' },
      contract: { response: 'setting' },
    },
    { method: 'PUT', path: '/target', handler: 'put', contract: { request: 'setting' } },
    { method: 'GET', path: '/label/{id}', handler: 'label', contract: { response: { type: 'utf8', max: 64 } } },
  ],
  wat: `(module
    (import "thingspire" "notify" (func $notify (param i32 i32) (result i32)))
    (import "thingspire" "parameter" (func $parameter (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 100) "target")
    (func (export "get") ${HANDLER} (i64.store (local.get $r) (i64.load (i32.const 0))) (i32.const 0x45000008))
    (func (export "put") ${HANDLER}
      (i64.store (i32.const 0) (i64.load (local.get $p)))
      (drop (call $notify (i32.const 100) (i32.const 6))) (i32.const 0x44))
    (func (export "label") ${HANDLER}
      (i32.or (i32.const 0x45000000) (call $parameter (i32.const 0) (local.get $r) (local.get $c)))))`,
} as const;
const setting = {
  type: 'record',
  fields: [
    { name: 'celsius', type: 'f32', min: 5, max: 30 },
    { name: 'mode', type: 'u8', max: 2 },
    { name: 'eco', type: 'bool' },
    { name: 'step', type: 'i16' },
  ],
} as const;

let place: EdgePlace;
let router: Router;
let server: FastifyInstance;
let coapServer: CoapGateway;

beforeAll(async () => {
  const [model] = modelsOf([thermostat], { setting });
  const wasm = embedManifest(await assemble(thermostat.wat), model!.travelling);
  const input = { thing: 'home', wasm };
  const registry = new EmbeddedRegistry(null);
  router = new Router({ registry });
  place = new EdgePlace({ name: 'edge:a', elsewhere: async () => null });
  router.connect(place);
  await place.prepare(input, 1);
  await place.activate('home', 'thermostat', 1, null);
  const services = serviceEntries(modelOfPackage(input));
  await registry.put(
    { thing: 'home', module: 'thermostat', version: '1.0.0', hash: '', place: 'edge:a', epoch: 1, services },
    0,
  );
  server = fastify();
  addHttpGateway(server, { router, directory: { modelOf: () => model! } });
  const observe = (thing: string, uri: string, changed: () => void) => place.observe(thing, uri, changed);
  coapServer = await startCoapGateway({ router, observe, port: 0, address: '127.0.0.1' });
}, 30_000);
afterAll(async () => {
  await server.close();
  coapServer.close();
  await place.close();
});

const warm = { celsius: 21.5, mode: 1, eco: true, step: -7 };

describe('HTTP', () => {
  it('takes and gives JSON by the contract', async () => {
    const put = await server.inject({ method: 'PUT', url: '/things/home/target', payload: warm });
    expect([put.statusCode, put.body]).toEqual([204, '']);
    const got = await server.inject('/things/home/target');
    expect([got.statusCode, got.json()]).toEqual([200, warm]);
    const raw = await server.inject({ url: '/things/home/target', headers: { accept: 'application/octet-stream' } });
    expect(raw.rawPayload).toEqual(Buffer.from([0, 0, 0xac, 0x41, 1, 1, 0xf9, 0xff]));
    const text = await server.inject('/things/home/label/kitchen');
    expect([text.body, text.headers['content-type']]).toEqual(['kitchen', 'text/plain; charset=utf-8']);
  });

  it('says what is wrong', async () => {
    const put = (payload: object | string, type = 'application/json') =>
      server.inject({ method: 'PUT', url: '/things/home/target', payload, headers: { 'content-type': type } });
    expect((await put({ ...warm, mode: 'x' })).json()).toMatchObject({
      status: 400,
      message: '/mode must be a number',
    });
    expect((await put({ ...warm, mode: 3 })).json()).toMatchObject({ status: 400, code: '4.00' });
    expect((await put({ ...warm, celsius: 99 })).json()).toMatchObject({ status: 400, code: '4.00' });
    expect((await put('{', 'application/json')).statusCode).toBe(400);
    expect((await put('x', 'image/png')).statusCode).toBe(415);
    expect((await server.inject('/things/home/nothing')).json()).toMatchObject({ status: 404, code: '4.04' });
    expect((await server.inject({ method: 'DELETE', url: '/things/home/target' })).statusCode).toBe(405);
    expect((await server.inject('/things/nobody')).statusCode).toBe(404);
  });

  it('describes itself', async () => {
    expect((await server.inject('/things')).json()).toEqual([{ name: 'home', href: '/things/home' }]);
    const api = (await server.inject('/openapi.json')).json();
    const get = api.paths['/things/home/target'].get;
    expect(get.responses['200'].content['application/json'].schema.properties.celsius).toEqual({
      type: 'number',
      minimum: 5,
      maximum: 30,
    });
    expect(api.paths['/things/home/label/{id}'].get.parameters[0].name).toBe('id');
  });
});

describe('CoAP', () => {
  const ask = (pathname: string, options: object = {}, payload?: Buffer): Promise<{ code: string; payload: Buffer }> =>
    new Promise((resolve, reject) => {
      const request = coap.request({ hostname: '127.0.0.1', port: coapServer.port, pathname, ...options });
      request.on('response', ({ code, payload: body }) => resolve({ code, payload: body }));
      request.on('error', reject);
      request.end(payload);
    });

  it('lists and calls services', async () => {
    const list = await ask('/.well-known/core', { query: 'rt=temperature' });
    expect(list.payload.toString()).toBe('</things/home/target>;rt="temperature";obs');
    const payload = Buffer.from([0, 0, 0xa0, 0x41, 0, 0, 1, 0]);
    expect(await ask('/things/home/target', { method: 'PUT' }, payload)).toMatchObject({ code: '2.04' });
    expect(await ask('/things/home/target')).toMatchObject({ code: '2.05', payload });
    expect(await ask('/things/home/none')).toMatchObject({ code: '4.04' });
  });

  it('is observed', async () => {
    const seen: number[] = [];
    const request = coap.request({
      hostname: '127.0.0.1',
      port: coapServer.port,
      pathname: '/things/home/target',
      observe: true,
    });
    const stream = await new Promise<NodeJS.ReadableStream & { close(): void }>((resolve) => {
      request.on('response', resolve as never);
      request.end();
    });
    stream.on('data', (chunk: Buffer) => seen.push(chunk[4]!));
    await server.inject({ method: 'PUT', url: '/things/home/target', payload: { ...warm, mode: 2 } });
    await expect.poll(() => seen.at(-1), { timeout: 5000 }).toBe(2);
    stream.close();
  });
});

describe('JSON', () => {
  it('keeps 64-bit integers and CBOR', () => {
    const long = {
      kind: 'record',
      name: null,
      bytes: 8,
      fields: [{ name: 'n', scalar: 'u64', offset: 0, count: null, min: null, max: null }],
    } as const;
    for (const n of [7, '18446744073709551615'])
      expect(payloadToJson(payloadFromJson({ n }, long), long)).toEqual({ n });
    expect(() => payloadFromJson({ n: '18446744073709551616' }, long)).toThrow('64-bit');
    const cbor = { kind: 'cbor', min: 0, max: 100 } as const;
    const value = { a: [1, 'x', null], b: { c: true } };
    expect(payloadToJson(payloadFromJson(value, cbor), cbor)).toEqual(value);
  });
});
