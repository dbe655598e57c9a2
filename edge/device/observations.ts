// What the edge observes on a device: followed again after the line was lost, the device was reset, or a module came back.
// Takes URIs; tells of changes. Knows no representation.
import type { DeviceLink } from './device-link.js';

interface Observation {
  readonly uri: string;
  readonly changed: () => void;
  /** Ends it on the device; null: the device does not follow it now. */
  stop: (() => void) | null;
  /** Line on which it is followed. */
  link: DeviceLink | null;
}

/** Between two attempts at what the device refuses, e.g. while a module starts. */
const AGAIN_MS = 1000;

export class Observations {
  private readonly all = new Set<Observation>();
  private timer: NodeJS.Timeout | null = null;

  /** @param link throws if there is none */
  constructor(private readonly link: () => DeviceLink) {}

  /** Gives a function that ends it. */
  add(uri: string, changed: () => void): () => void {
    const observation: Observation = { uri, changed, stop: null, link: null };
    this.all.add(observation);
    void this.follow(observation, false);
    return () => {
      this.all.delete(observation);
      observation.stop?.();
      observation.stop = null;
    };
  }

  /** Follows what is not followed; something may have changed meanwhile, so all of it is told. */
  resume(): void {
    for (const observation of this.all) void this.follow(observation, true);
  }

  /** The device has forgotten all of them. */
  lost(): void {
    for (const observation of this.all) {
      observation.stop = null;
      observation.link = null;
    }
  }

  private async follow(observation: Observation, tell: boolean): Promise<void> {
    let link: DeviceLink;
    try {
      link = this.link();
    } catch {
      return;
    }
    if (observation.link === link) return;
    observation.link = link;
    let first = true;
    const stop = await link
      .follow(observation.uri, ({ code }) => {
        if (observation.link !== link || !this.all.has(observation)) return;
        // An error ends it: the module has gone, or begins anew.
        if (code >> 5 !== 2) this.ended(observation);
        if (!first || tell) observation.changed();
        first = false;
      })
      .catch(() => null);
    if (!this.all.has(observation)) stop?.();
    else if (stop !== null && observation.link === link) observation.stop = stop;
    else if (observation.link === link) this.ended(observation);
  }

  private ended(observation: Observation): void {
    observation.link = null;
    observation.stop = null;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.resume();
    }, AGAIN_MS).unref();
  }
}
