// The router with places made up for the test: modules that move at random, links that break, requests that repeat.
import { describe, expect, it } from 'vitest';
import { EmbeddedRegistry } from '../registry/embedded.js';
import { NOT_HERE, type PlaceAnswer, type PlaceLink, type Placement } from '../fleet/types.js';
import { RecentAnswers } from '../fleet/recent-answers.js';
import { Router, splitAuthority } from './router.js';

const get = (uri: string, caller = 'test') => {
  return { method: 1, uri, payload: new Uint8Array(0), caller, capacity: 64 };
};
const placement = (place: string, more: Partial<Placement> = {}): Placement => ({
  thing: 'home',
  module: 'lamp',
  version: '1.0.0',
  hash: '',
  place,
  epoch: 1,
  services: [{ method: 1, path: 'lamp/{n}', attributes: '', observable: false }],
  ...more,
});

/** A place that runs a module only while the registry says that it does. */
class FakePlace implements PlaceLink {
  readonly runs: string[] = [];
  private readonly recent = new RecentAnswers();
  constructor(
    readonly name: string,
    private readonly registry: EmbeddedRegistry,
  ) {}
  request(_thing: string, { uri }: { uri: string }, id: string): Promise<PlaceAnswer> {
    return this.recent.once(id, async () => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
      if (this.registry.placement('home', 'lamp')?.value.place !== this.name) return NOT_HERE;
      this.runs.push(uri);
      return { code: 0x45, payload: Buffer.from(uri) };
    });
  }
}

async function fleet(places: number, options: { timeoutMs?: number; maxOutstanding?: number } = {}) {
  const registry = new EmbeddedRegistry(null);
  const router = new Router({ registry, ...options });
  const links = Array.from({ length: places }, (_, i) => new FakePlace(`edge:${i}`, registry));
  links.forEach((link) => router.connect(link));
  await registry.put(placement('edge:0'), 0);
  return { registry, router, links };
}

describe('Router', () => {
  it('finds services by path, of this thing or another', async () => {
    const { router } = await fleet(1);
    expect(await router.request('home', get('/lamp/1'))).toMatchObject({ code: 0x45 });
    expect(await router.request('elsewhere', get('coap://home/lamp/2?x=1'))).toMatchObject({ code: 0x45 });
    expect(await router.request('home', get('/lamp'))).toMatchObject({ code: 0x84 });
    expect(await router.request('home', { ...get('/lamp/1'), method: 3 })).toMatchObject({ code: 0x85 });
    expect(router.things()).toEqual(['home']);
    expect(splitAuthority('//a.b/c?d')).toEqual({ thing: 'a.b', path: '/c?d' });
    expect(splitAuthority('/a')).toBeNull();
  });

  it('neither loses nor doubles a call while the module moves at random', async () => {
    const { registry, router, links } = await fleet(4);
    let done = false;
    const mover = (async () => {
      while (!done) {
        const { value, revision } = registry.placement('home', 'lamp')!;
        const place = `edge:${Math.floor(Math.random() * 4)}`;
        await registry.put({ ...value, place, epoch: value.epoch + 1 }, revision);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
      }
    })();
    const wanted = Array.from({ length: 600 }, (_, i) => `/lamp/${i}`);
    const answers: unknown[] = [];
    for (let i = 0; i < wanted.length; i += 20)
      answers.push(...(await Promise.all(wanted.slice(i, i + 20).map((uri) => router.request('home', get(uri))))));
    done = true;
    await mover;
    expect(answers.every((answer) => (answer as { code: number }).code === 0x45)).toBe(true);
    expect(links.flatMap(({ runs }) => runs).sort()).toEqual([...wanted].sort());
  });

  it('answers in time when a place is gone, slow or broken', async () => {
    const { router, registry } = await fleet(1, { timeoutMs: 60, maxOutstanding: 2 });
    const slow: PlaceLink = { name: 'edge:0', request: () => new Promise(() => undefined) };
    router.connect(slow);
    const codes = await Promise.all([1, 2, 3].map(async (n) => (await router.request('home', get(`/lamp/${n}`))).code));
    expect(codes).toEqual([0xa4, 0xa4, 0xa3]);
    router.connect({ name: 'edge:0', request: () => Promise.reject(new Error('broken')) });
    expect(await router.request('home', get('/lamp/1'))).toMatchObject({ code: 0xa4 });
    const { value, revision } = registry.placement('home', 'lamp')!;
    await registry.put({ ...value, place: 'edge:gone', epoch: 2 }, revision);
    expect(await router.request('home', get('/lamp/1'))).toMatchObject({ code: 0xa3 });
  });
});
