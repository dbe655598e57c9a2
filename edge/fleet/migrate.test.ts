// Moves between two edges: state and callers survive, and a failure at any step leaves the module at exactly one place.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { embedManifest } from '../../manifest/section.js';
import { EmbeddedRegistry } from '../registry/embedded.js';
import { assemble, modelsOf } from '../test-support/edge.js';
import type { Answer } from '../worker/protocol.js';
import { EdgePlace, modelOfPackage, serviceEntries } from './edge-place.js';
import { migrate, MigrationRefused, recover } from './migrate.js';
import { NOT_HERE, type ModulePackage, type ModulePlace, type Placement } from './types.js';

const THING = 'station';
const counter = {
  name: 'counter',
  provides: [{ method: 'POST', path: '/count', handler: 'count', contract: { response: { type: 'bytes', max: 4 } } }],
  wat: `(module (memory (export "memory") 2) (global $sum (mut i32) (i32.const 0))
    (func (export "count") (param i32 i32 i32 i32) (result i32)
      (global.set $sum (i32.add (global.get $sum) (i32.const 1)))
      (i32.store (i32.const 100000) (global.get $sum))
      (i32.store (local.get 2) (i32.load (i32.const 100000)))
      (i32.const 0x45000004)))`,
} as const;

class Fleet {
  readonly registry = new EmbeddedRegistry(null);
  readonly places = ['a', 'b'].map((name) => new EdgePlace({ name: `edge:${name}`, elsewhere: async () => null }));
  input!: ModulePackage;

  async start(): Promise<void> {
    const [model] = modelsOf([counter]);
    const wasm = embedManifest(await assemble(counter.wat), model!.travelling);
    this.input = { thing: THING, wasm };
    const [first] = this.places;
    await first!.prepare(this.input, 1);
    await first!.activate(THING, 'counter', 1, null);
    const placement: Placement = {
      thing: THING,
      module: 'counter',
      version: '1.0.0',
      hash: '',
      place: 'edge:a',
      epoch: 1,
      services: serviceEntries(modelOfPackage(this.input)),
    };
    await this.registry.put(placement, 0);
  }

  find(name: string): EdgePlace | null {
    return this.places.find((place) => place.name === name) ?? null;
  }

  get at(): string {
    return this.registry.placement(THING, 'counter')!.value.place;
  }

  /** What the router does: asks where the registry says, again if the module has left. */
  async count(id: string): Promise<number> {
    const request = { method: 2, uri: '/count', payload: new Uint8Array(0), caller: 'test', capacity: 16 };
    for (;;) {
      const place = this.places.find(({ name }) => name === this.at)!;
      const result = await place.request(THING, request, id);
      if (result === NOT_HERE) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        continue;
      }
      const { code, payload } = result as Answer;
      if (code !== 0x45) throw new Error(`code ${code}`);
      return new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
    }
  }

  async residents(): Promise<string[]> {
    const lists = await Promise.all(
      this.places.map(async (place) => ({ name: place.name, modules: await place.modules() })),
    );
    return lists.flatMap(({ name, modules }) => modules.filter(({ state }) => state === 'running').map(() => name));
  }
}

let fleet: Fleet;
afterEach(async () => {
  await Promise.all(fleet.places.map((place) => place.close()));
});

const move = (to: number, change: (places: ModulePlace[]) => void = () => undefined) => {
  const places = fleet.places.map((place): ModulePlace => {
    // Methods of the class, open to replacement.
    return {
      name: place.name,
      kind: 'edge',
      prepare: (input, epoch) => place.prepare(input, epoch),
      activate: (...args) => place.activate(...args),
      freeze: (...args) => place.freeze(...args),
      release: (...args) => place.release(...args),
      discard: (...args) => place.discard(...args),
      run: (...args) => place.run(...args),
      details: () => place.details(),
      modules: () => place.modules(),
    };
  });
  change(places);
  return migrate({
    registry: fleet.registry,
    from: places[1 - to]!,
    to: places[to]!,
    input: fleet.input,
    attempts: 2,
    retryMs: 1,
  });
};

describe('migrate', { timeout: 60_000 }, () => {
  it('loses and doubles no call under load, there and back', async () => {
    fleet = new Fleet();
    await fleet.start();
    const seen: number[] = [];
    let stop = false;
    const callers = [0, 1, 2].map(async (caller) => {
      for (let i = 0; !stop; i++) seen.push(await fleet.count(`${caller}.${i}`));
    });
    for (const to of [1, 0, 1, 0]) {
      const { stateBytes, placement } = await move(to);
      // One page of the memory is not zero.
      expect(stateBytes).toBeGreaterThan(4096);
      expect(stateBytes).toBeLessThan(8192);
      expect(placement.place).toBe(fleet.places[to]!.name);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    stop = true;
    await Promise.all(callers);
    seen.sort((a, b) => a - b);
    expect(seen).toEqual(seen.map((_, i) => i + 1));
    expect(seen.length).toBeGreaterThan(20);
    expect(fleet.registry.placement(THING, 'counter')!.value.epoch).toBe(5);
  });

  const fail = async (): Promise<never> => {
    throw new Error('link down');
  };
  it.each([
    ['prepare', (places: ModulePlace[]) => void (places[1]!.prepare = fail)],
    ['freeze', (places: ModulePlace[]) => void (places[0]!.freeze = fail)],
    ['activate', (places: ModulePlace[]) => void (places[1]!.activate = fail)],
  ])('goes on where it was when %s fails', async (step, change) => {
    fleet = new Fleet();
    await fleet.start();
    expect(await fleet.count('1')).toBe(1);
    const error = await move(1, change).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(MigrationRefused);
    expect((error as MigrationRefused).step).toBe(step);
    expect([await fleet.residents(), fleet.at]).toEqual([['edge:a'], 'edge:a']);
    expect(await fleet.count('2')).toBe(2);
    await move(1);
    expect(await fleet.count('3')).toBe(3);
  });

  it('is finished by recover when the source could not be told', async () => {
    fleet = new Fleet();
    await fleet.start();
    await fleet.count('1');
    await expect(move(1, (places) => (places[0]!.discard = fail))).rejects.toThrow('link down');
    expect(fleet.at).toBe('edge:b');
    // The frozen one answers nobody meanwhile; the other has the state.
    expect(await fleet.count('2')).toBe(2);
    await recover(fleet.places[0]!, fleet.registry, fleet);
    expect(await fleet.residents()).toEqual(['edge:b']);
  });

  it('refuses when somebody else has moved it', async () => {
    fleet = new Fleet();
    await fleet.start();
    const other = async (): Promise<never> => {
      throw new Error('unreachable');
    };
    await expect(
      move(1, (places) => {
        const { freeze } = places[0]!;
        places[0]!.freeze = async (...args) => {
          const { value, revision } = fleet.registry.placement(THING, 'counter')!;
          await fleet.registry.put({ ...value, epoch: value.epoch + 1 }, revision);
          return freeze(...args);
        };
        places[1]!.activate = other;
      }),
    ).rejects.toThrow('somebody else');
    expect(await fleet.count('1')).toBe(1);
  });

  it('is one of a time: a second mover is refused, whatever step the first is at', async () => {
    fleet = new Fleet();
    await fleet.start();
    await fleet.count('1');
    const refused: string[] = [];
    const second = async (): Promise<void> => {
      const error: unknown = await move(1).catch((reason: unknown) => reason);
      refused.push((error as Error).message);
    };
    await move(1, (places) => {
      for (const place of places)
        for (const step of ['prepare', 'freeze', 'activate', 'discard'] as const) {
          const run = place[step] as (...args: unknown[]) => Promise<never>;
          (place as unknown as Record<string, unknown>)[step] = async (...args: unknown[]) => {
            await second();
            const result = await run(...args);
            await second();
            return result;
          };
        }
    });
    expect(refused).toHaveLength(8);
    expect(new Set(refused.slice(0, 4))).toEqual(new Set(['prepare: somebody else is moving it to edge:b']));
    expect(new Set(refused.slice(4))).toEqual(new Set(['prepare: counter of station is not at edge:a']));
    expect([await fleet.residents(), fleet.at, await fleet.count('2')]).toEqual([['edge:b'], 'edge:b', 2]);
    expect(fleet.registry.placement(THING, 'counter')!.value.moving).toBeUndefined();
  });

  it('leaves a move at work alone, and settles it when its mover is dead', async () => {
    fleet = new Fleet();
    await fleet.start();
    await fleet.count('1');
    const [a, b] = fleet.places as [EdgePlace, EdgePlace];
    const { registry } = fleet;
    const settle = async () => [...(await recover(a, registry, fleet)), ...(await recover(b, registry, fleet))];
    await b.prepare(fleet.input, 2);
    await a.freeze(THING, 'counter');
    expect(await settle()).toEqual([]);
    const { value, revision } = registry.placement(THING, 'counter')!;
    await registry.put({ ...value, place: 'edge:b', epoch: 2 }, revision);
    // Here the mover dies: recorded there, started nowhere, its state here.
    const waiting = fleet.count('2');
    expect(await settle()).toEqual([]);
    const now = performance.now.bind(performance);
    const late = vi.spyOn(performance, 'now').mockImplementation(() => now() + 61_000);
    expect(await settle()).toEqual(['counter of station was on its way to edge:b when its mover died: goes on here']);
    late.mockRestore();
    expect(await waiting).toBe(2);
    expect([await fleet.residents(), fleet.at]).toEqual([['edge:a'], 'edge:a']);
    expect(await settle()).toEqual([]);
    await move(1);
    expect(await fleet.count('3')).toBe(3);
  });

  it('starts from the beginning what nobody brings the state of', async () => {
    fleet = new Fleet();
    await fleet.start();
    await fleet.count('1');
    const [a, b] = fleet.places as [EdgePlace, EdgePlace];
    await b.prepare(fleet.input, 2);
    await a.freeze(THING, 'counter');
    const { value, revision } = fleet.registry.placement(THING, 'counter')!;
    await fleet.registry.put({ ...value, place: 'edge:b', epoch: 2 }, revision);
    // The source dies, and the mover with it.
    await a.close();
    const now = performance.now.bind(performance);
    const late = vi.spyOn(performance, 'now').mockImplementation(() => now() + 601_000);
    expect(await recover(b, fleet.registry, fleet)).toHaveLength(1);
    late.mockRestore();
    expect(await fleet.count('2')).toBe(1);
  });
});
