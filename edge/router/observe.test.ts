// Observing through the router: the service moves, its place goes and comes back, it is taken away; no change stays unseen.
import { describe, expect, it, vi } from 'vitest';
import type { PlaceLink, Placement } from '../fleet/types.js';
import { EmbeddedRegistry } from '../registry/embedded.js';
import { Router } from './router.js';
import { PlaceDirectory } from './places.js';

const service = { method: 1, path: 'lamp', attributes: '', observable: true };
const placement = (place: string, epoch: number): Placement => {
  const services = [service, { ...service, path: 'plain', observable: false }];
  return { thing: 'home', module: 'lamp', version: '1.0.0', hash: '', place, epoch, services };
};

class FakePlace implements PlaceLink {
  readonly observers = new Set<() => void>();
  /** Asked but refused: the module is not there yet. */
  refused = 0;
  has = true;
  constructor(readonly name: string) {}
  request = async () => ({ code: 0x45, payload: new Uint8Array(0) });
  observe(thing: string, uri: string, changed: () => void): (() => void) | null {
    expect([thing, uri]).toEqual(['home', '/lamp']);
    if (!this.has) {
      this.refused++;
      return null;
    }
    this.observers.add(changed);
    return () => this.observers.delete(changed);
  }
  change(): void {
    for (const changed of this.observers) changed();
  }
}

async function scene() {
  const registry = new EmbeddedRegistry(null);
  const router = new Router({ registry });
  const [a, b] = [new FakePlace('edge:a'), new FakePlace('edge:b')];
  router.connect(a);
  router.connect(b);
  await registry.put(placement('edge:a', 1), 0);
  const changed = vi.fn();
  const move = (place: string, epoch: number) =>
    registry.put(placement(place, epoch), registry.placement('home', 'lamp')!.revision);
  return { registry, router, a, b, changed, move };
}

describe('Router.observe', () => {
  it('tells of changes until it is ended', async () => {
    const { router, a, changed } = await scene();
    const end = router.observe('elsewhere', 'coap://home/lamp', changed)!;
    expect(changed).toHaveBeenCalledTimes(0);
    a.change();
    a.change();
    expect(changed).toHaveBeenCalledTimes(2);
    end();
    a.change();
    expect(changed).toHaveBeenCalledTimes(2);
    expect(a.observers.size).toBe(0);
  });

  it('refuses what is not there or not observable', async () => {
    const { router, changed } = await scene();
    expect(router.observe('home', '/plain', changed)).toBeNull();
    expect(router.observe('home', '/nothing', changed)).toBeNull();
    expect(router.observe('nobody', '/lamp', changed)).toBeNull();
  });

  it('follows the module, and tells once after a move', async () => {
    const { router, a, b, changed, move } = await scene();
    router.observe('home', '/lamp', changed);
    await move('edge:b', 2);
    expect(changed).toHaveBeenCalledTimes(1);
    expect([a.observers.size, b.observers.size]).toEqual([0, 1]);
    b.change();
    expect(changed).toHaveBeenCalledTimes(2);
    a.change();
    expect(changed).toHaveBeenCalledTimes(2);
  });

  it('asks again while the module is on its way', async () => {
    const { router, b, changed, move } = await scene();
    router.observe('home', '/lamp', changed);
    b.has = false;
    await move('edge:b', 2);
    await vi.waitFor(() => expect(b.refused).toBeGreaterThan(1));
    expect(changed).toHaveBeenCalledTimes(0);
    b.has = true;
    await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(1));
    expect(b.observers.size).toBe(1);
  });

  it('survives its place going and coming back', async () => {
    const { router, a, changed } = await scene();
    router.observe('home', '/lamp', changed);
    router.disconnect(a);
    expect(a.observers.size).toBe(0);
    const again = new FakePlace('edge:a');
    router.connect(again);
    expect(changed).toHaveBeenCalledTimes(1);
    again.change();
    expect(changed).toHaveBeenCalledTimes(2);
  });

  it('tells when the service is taken away, and follows it when it is there again', async () => {
    const { router, registry, a, changed } = await scene();
    router.observe('home', '/lamp', changed);
    await registry.remove('home', 'lamp', registry.placement('home', 'lamp')!.revision);
    expect(changed).toHaveBeenCalledTimes(1);
    expect(a.observers.size).toBe(0);
    await registry.put(placement('edge:a', 1), 0);
    expect(changed).toHaveBeenCalledTimes(2);
    expect(a.observers.size).toBe(1);
    router.close();
    expect(a.observers.size).toBe(0);
  });
});

describe('Router and places behind others', () => {
  it('uses a link of another edge until it has one of its own, and fails fast when a place stays away', async () => {
    const registry = new EmbeddedRegistry(null);
    const far = new FakePlace('edge:a');
    const request = vi.spyOn(far, 'request');
    let there = true;
    const router = new Router({ registry, absentMs: 30, elsewhere: () => (there ? far : null) });
    await registry.put(placement('edge:a', 1), 0);
    const get = { method: 1, uri: '/lamp', payload: new Uint8Array(0), caller: 'test', capacity: 8 };
    expect((await router.request('home', get)).code).toBe(0x45);
    expect(request).toHaveBeenCalledTimes(1);
    there = false;
    expect((await router.request('home', get)).code).toBe(0xa3);
    const near = new FakePlace('edge:a');
    router.connect(near);
    expect((await router.request('home', get)).code).toBe(0x45);
    expect(request).toHaveBeenCalledTimes(1);
  });

  it('has a directory of places, its own first', () => {
    const place = (name: string) => ({ name }) as never;
    const [own, other] = [place('edge:a'), place('edge:b')];
    const places = new PlaceDirectory((name) => (name === 'edge:b' ? other : null));
    places.add(own);
    expect([places.find('edge:a'), places.find('edge:b'), places.find('edge:c')]).toEqual([own, other, null]);
    expect(places.findHere('edge:b')).toBeNull();
    places.remove(own);
    expect(places.find('edge:a')).toBeNull();
  });
});
