// Modules that count their calls move at random between edges over NATS, driven from any edge, while callers at all edges
// call them: each call is run exactly once, also when NATS restarts in between.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { modelsOf, assemble } from '../../edge/test-support/edge.js';
import { EdgePlace } from '../../edge/fleet/edge-place.js';
import { migrate, MigrationRefused, recover } from '../../edge/fleet/migrate.js';
import type { ModulePackage } from '../../edge/fleet/types.js';
import { embedManifest } from '../../manifest/section.js';
import { NatsEdge } from './nats-edge.js';
import { NatsServer, withoutNats } from './nats-server.js';

const THING = 'station';
const counter = (name: string) => ({
  name,
  provides: [
    { method: 'POST', path: `/${name}`, handler: 'count', contract: { response: { type: 'bytes', max: 4 } } },
  ] as const,
  // A page in the middle of a memory that is otherwise empty, and a global that must agree with it.
  wat: `(module (memory (export "memory") 4) (global $sum (mut i32) (i32.const 0))
    (func (export "count") (param i32 i32 i32 i32) (result i32)
      (if (i32.ne (global.get $sum) (i32.load (i32.const 100000))) (then unreachable))
      (global.set $sum (i32.add (global.get $sum) (i32.const 1)))
      (i32.store (i32.const 100000) (global.get $sum))
      (i32.store (local.get 2) (global.get $sum))
      (i32.const 0x45000004)))`,
});
const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;
const skipped = withoutNats();

describe.skipIf(skipped)('moves between edges over NATS', () => {
  const server = new NatsServer();
  const edges: NatsEdge[] = [];
  const hosts: EdgePlace[] = [];
  const inputs: ModulePackage[] = [];
  const names = ['first', 'second'];
  let prefix = 0;

  beforeAll(async () => {
    await server.start();
    for (const name of names) {
      const module = counter(name);
      const [model] = modelsOf([module]);
      inputs.push({ thing: THING, wasm: embedManifest(await assemble(module.wat), model!.travelling) });
    }
  });
  afterAll(() => server.remove());
  afterEach(async () => {
    await Promise.all(hosts.splice(0).map((host) => host.close()));
    await Promise.all(edges.splice(0).map((edge) => edge.close()));
  });

  async function start(): Promise<void> {
    prefix++;
    for (const name of ['a', 'b', 'c'])
      edges.push(
        await NatsEdge.open(
          { edge: name, servers: server.url, prefix: `moves${prefix}` },
          { timeoutMs: 250_000, absentMs: 250_000 },
        ),
      );
    for (const edge of edges) hosts.push(await edge.host());
    for (const input of inputs) await edges[0]!.deploy(input, 'edge:a');
    for (const edge of edges)
      while ([...edge.registry.places()].length < 3 || edge.router.find(THING, '/second', 2) === null) await pause(20);
  }

  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  async function move(): Promise<boolean> {
    const edge = pick(edges);
    const at = Math.floor(Math.random() * names.length);
    const from = edge.registry.placement(THING, names[at]!)!.value.place;
    const to = pick(hosts.map(({ name }) => name).filter((name) => name !== from));
    const { registry, places } = edge;
    try {
      await migrate({ registry, from: places.find(from)!, to: places.find(to)!, input: inputs[at]! });
      return true;
    } catch (error) {
      // Somebody else is moving it.
      if (error instanceof MigrationRefused) return false;
      throw error;
    }
  }

  /** Calls until told otherwise; what the calls have given, by module. */
  function load(): { stop(): Promise<Map<string, number[]>> } {
    let running = true;
    const counts = new Map(names.map((name) => [name, [] as number[]]));
    const call = async (edge: NatsEdge): Promise<void> => {
      while (running) {
        const name = pick(names);
        const request = { method: 2, uri: `/${name}`, payload: new Uint8Array(0), caller: 'test', capacity: 16 };
        const { code, payload } = await edge.router.request(THING, request);
        if (code !== 0x45) throw new Error(`${name}: code ${code.toString(16)}`);
        counts.get(name)!.push(Buffer.from(payload).readUInt32LE());
      }
    };
    const callers = edges.flatMap((edge) => [call(edge), call(edge), call(edge)]);
    return {
      stop: async () => {
        running = false;
        await Promise.all(callers);
        return counts;
      },
    };
  }

  /** Each call counted once: all numbers from 1 on, none twice, none left out. */
  function expectOnce(counts: Map<string, number[]>): void {
    for (const numbers of counts.values()) expect(numbers.sort((x, y) => x - y)).toEqual(numbers.map((_, i) => i + 1));
  }

  async function residents(): Promise<string[]> {
    const lists = await Promise.all(hosts.map((host) => host.modules()));
    return lists.flatMap((modules) => modules.filter(({ state }) => state === 'running').map(({ module }) => module));
  }

  it('no call is lost or run twice while modules move at random', { timeout: 300_000 }, async () => {
    await start();
    const callers = load();
    let moves = 0;
    const mover = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) if (await move()) moves++;
    };
    await Promise.all([mover(), mover()]);
    const counts = await callers.stop();
    expectOnce(counts);
    expect(moves).toBeGreaterThan(4);
    expect([...counts.values()].map(({ length }) => length > 20)).toEqual([true, true]);
    expect((await residents()).sort()).toEqual([...names].sort());
  });

  it('nor when NATS restarts meanwhile', { timeout: 300_000 }, async () => {
    await start();
    const callers = load();
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const moving = (async () => {
        for (let i = 0; i < 4; i++) await move().catch(() => undefined);
      })();
      await server.stop(signal);
      await pause(300);
      await server.start();
      await moving;
    }
    // What a broken move has left waiting is settled when its lease is over, as after the death of a mover.
    let done = false;
    const settling = (async () => {
      for (; !done; await pause(500))
        for (const [i, host] of hosts.entries())
          await recover(host, edges[i]!.registry, edges[i]!.places).catch(() => []);
    })();
    const counts = await callers.stop();
    done = true;
    await settling;
    expectOnce(counts);
  });
});
