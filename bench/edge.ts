// What an edge does a second on this machine: calls from module to module, through the router, by HTTP and by CoAP. Takes
// nothing, gives rates and latencies; starts an edge of its own. Knows no goal: the numbers are the machine's.
import { createSocket } from 'node:dgram';
import { Agent, request as httpRequest } from 'node:http';
import { availableParallelism, cpus } from 'node:os';
import { performance } from 'node:perf_hooks';
import { generate, parse } from 'coap-packet';
import { EdgeServer } from '../edge/server/edge-server.js';
import { assemble, modelsOf, type TestModule } from '../edge/test-support/edge.js';
import { embedManifest } from '../manifest/section.js';

export interface EdgeRate {
  readonly what: string;
  readonly perSecond: number;
  /** Microseconds of one call; null: only their sum is known. */
  readonly median: number | null;
  readonly p99: number | null;
}

export interface EdgeRates {
  readonly machine: { readonly processors: number; readonly model: string; readonly node: string };
  readonly rates: readonly EdgeRate[];
}

const SECONDS = 2;
const PAYLOAD_BYTES = 16;
/** Requests at a time from outside. */
const CLIENTS = 16;
const BATCH = 2000;
const HANDLER = '(param $p i32) (param $n i32) (param $r i32) (param $c i32) (result i32)';
const bytes = { type: 'bytes', max: 64 } as const;

/** POST /run calls /echo as often as its payload says: by number, by URI. */
const loop = (call: string): string =>
  `(local $i i32) (local.set $i (i32.load (local.get $p)))
   (loop $l (if (i32.ne (i32.shr_u ${call} (i32.const 24)) (i32.const 0x45)) (then (return (i32.const 0xa0))))
     (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1))))) (i32.const 0x44)`;
const MODULES: readonly TestModule[] = [
  {
    name: 'echo',
    provides: [
      {
        method: 'POST',
        path: '/echo',
        handler: 'echo',
        contract: { request: bytes, response: bytes, deadline: '50ms' },
      },
    ],
    wat: `(module (memory (export "memory") 1) (func (export "echo") ${HANDLER}
      (memory.copy (local.get $r) (local.get $p) (local.get $n)) (i32.or (i32.const 0x45000000) (local.get $n))))`,
  },
  {
    name: 'caller',
    requires: [{ path: '/echo', methods: ['POST'] }],
    provides: (['number', 'uri'] as const).map((how) => ({
      method: 'POST',
      path: `/run/${how}`,
      handler: how,
      contract: { request: bytes, deadline: '8s' },
    })),
    wat: `(module (import "thingspire" "call" (func $call (param i32 i32 i32 i32 i32) (result i32)))
      (import "thingspire" "request" (func $request (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 0) "/echo")
      (func (export "number") ${HANDLER} ${loop(`(call $call (i32.const 0) (i32.const 64) (i32.const ${PAYLOAD_BYTES}) (i32.const 128) (i32.const ${PAYLOAD_BYTES}))`)})
      (func (export "uri") ${HANDLER} ${loop(`(call $request (i32.const 2) (i32.const 0) (i32.const 5) (i32.const 64) (i32.const ${PAYLOAD_BYTES}) (i32.const 128) (i32.const ${PAYLOAD_BYTES}))`)}))`,
  },
];

export async function measureEdge(): Promise<EdgeRates> {
  const coapPort = await freePort();
  const server = new EdgeServer({ name: 'bench', dataDirectory: null, httpPort: 0, coapPort });
  try {
    await server.start();
    const models = modelsOf(MODULES);
    for (const [i, { wat }] of MODULES.entries())
      await server.modules.deploy({
        thing: 'bench',
        place: null,
        wasm: embedManifest(await assemble(wat), models[i]!.travelling),
      });
    const rates = [
      await moduleToModule(server, 'module to module, by number', '/run/number'),
      await moduleToModule(server, 'module to module, by URI', '/run/uri'),
      await repeated('router to module, one after the other', 1, () => throughRouter(server)),
      await repeated(`router to module, ${CLIENTS} at a time`, CLIENTS, () => throughRouter(server)),
      await repeated(`HTTP to module, ${CLIENTS} at a time`, CLIENTS, httpClient(server.url!)),
      await repeated(`CoAP to module, ${CLIENTS} at a time`, CLIENTS, coapClient(coapPort)),
    ];
    const [processor] = cpus();
    const machine = { processors: availableParallelism(), model: processor?.model ?? '', node: process.version };
    return { machine, rates };
  } finally {
    await server.close();
  }
}

/** The best of some batches: what else the machine does only slows down. */
async function moduleToModule(server: EdgeServer, what: string, uri: string): Promise<EdgeRate> {
  const payload = new Uint8Array(Int32Array.of(BATCH).buffer);
  let best = Infinity;
  for (const end = performance.now() + 1000 * SECONDS; performance.now() < end;) {
    const begin = performance.now();
    const { code } = await server.router.request('bench', { method: 2, uri, payload, caller: 'bench', capacity: 64 });
    if (code !== 0x44) throw new Error(`${uri} answers ${code}`);
    best = Math.min(best, performance.now() - begin);
  }
  return { what, perSecond: (1000 * BATCH) / best, median: null, p99: null };
}

async function throughRouter({ router }: EdgeServer): Promise<void> {
  const payload = new Uint8Array(PAYLOAD_BYTES);
  const { code } = await router.request('bench', { method: 2, uri: '/echo', payload, caller: 'bench', capacity: 64 });
  if (code !== 0x45) throw new Error(`/echo answers ${code}`);
}

async function repeated(what: string, clients: number, once: () => Promise<void>): Promise<EdgeRate> {
  const times: number[] = [];
  const begin = performance.now();
  const end = begin + 1000 * SECONDS;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < end) {
        const since = performance.now();
        await once();
        times.push(performance.now() - since);
      }
    }),
  );
  const seconds = (performance.now() - begin) / 1000;
  const sorted = Float64Array.from(times).sort();
  const at = (part: number): number => 1000 * sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!;
  return { what, perSecond: times.length / seconds, median: at(0.5), p99: at(0.99) };
}

function httpClient(url: string): () => Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const body = Buffer.alloc(PAYLOAD_BYTES);
  const headers = { 'content-type': 'application/octet-stream', 'content-length': body.length };
  return () =>
    new Promise((resolve, reject) => {
      const sent = httpRequest(`${url}/things/bench/echo`, { method: 'POST', agent, headers }, (answer) => {
        answer.resume();
        answer.on('end', () =>
          answer.statusCode === 200 ? resolve() : reject(new Error(`HTTP ${answer.statusCode}`)),
        );
      });
      sent.on('error', reject);
      sent.end(body);
    });
}

function coapClient(port: number): () => Promise<void> {
  const socket = createSocket('udp4').unref();
  const waiting = new Map<number, (code: string) => void>();
  const send = (message: Parameters<typeof generate>[0]): void => socket.send(generate(message), port, '127.0.0.1');
  socket.on('message', (bytes) => {
    const { messageId, code, token, confirmable } = parse(bytes);
    // A response of its own, after an empty acknowledgement.
    if (confirmable) send({ ack: true, code: '0.00', messageId });
    if (token.length !== 2) return;
    waiting.get(token.readUInt16LE())?.(code);
    waiting.delete(token.readUInt16LE());
  });
  const options = ['things', 'bench', 'echo'].map((segment) => ({ name: 'Uri-Path', value: Buffer.from(segment) }));
  let next = 1;
  return () =>
    new Promise((resolve, reject) => {
      const messageId = next++ & 0xffff;
      const token = Buffer.alloc(2);
      token.writeUInt16LE(messageId);
      waiting.set(messageId, (code) => (code === '2.05' ? resolve() : reject(new Error(`CoAP ${code}`))));
      send({ confirmable: true, code: '0.02', messageId, token, options, payload: Buffer.alloc(PAYLOAD_BYTES) });
    });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

const grouped = (value: number): string => Math.round(value).toLocaleString('en-US');

export function formatEdge({ machine, rates }: EdgeRates): string {
  const head = ['| calls of 16 bytes on an edge | a second | median us | 99th percentile us |', '|---|---:|---:|---:|'];
  const rows = rates.map(({ what, perSecond, median, p99 }) => {
    const cells = [perSecond, median, p99].map((value) => (value === null ? '' : grouped(value)));
    return `| ${[what, ...cells].join(' | ')} |`;
  });
  return [...head, ...rows, '', `${machine.processors} processors, ${machine.model}, Node ${machine.node}`].join('\n');
}
