// One observer of one service, followed wherever its module goes. Takes a way to find the service's place and link; calls
// `changed` after each change, and once whenever it may have missed some. Knows no registry.
import type { PlaceLink } from '../fleet/types.js';

/** Where the service is now: `link` is null while its place cannot be reached. */
export interface Whereabouts {
  readonly place: string;
  readonly epoch: number;
  readonly link: PlaceLink | null;
}

/** Pause before a place is asked again that should have the service and does not (yet), doubled up to the longest. */
const RETRY_MS = 50;
const LONGEST_RETRY_MS = 2_000;

export class Observation {
  private at: Whereabouts | null = null;
  /** Ends the observation at the place; null: there is none at the moment. */
  private stop: (() => void) | null = null;
  private timer: NodeJS.Timeout | null = null;
  private retryMs = RETRY_MS;
  private ended = false;

  constructor(
    readonly thing: string,
    private readonly uri: string,
    private readonly where: () => Whereabouts | null,
    private readonly changed: () => void,
  ) {}

  /** Where it was last seen. */
  get place(): string | null {
    return this.at?.place ?? null;
  }

  /** Looks where the service is and observes it there. The first time is no change; each later one may hide some. */
  check(first = false): void {
    if (this.ended) return;
    const now = this.where();
    const same =
      now?.place === this.at?.place && now?.epoch === this.at?.epoch && (now?.link ?? null) === (this.at?.link ?? null);
    if (same && (this.stop !== null || now === null)) return;
    if (!same) {
      this.pause();
      this.retryMs = RETRY_MS;
    }
    this.at = now;
    // Nobody provides it any more: who asks now is told so.
    if (now === null) return this.changed();
    this.stop = now.link?.observe?.(this.thing, this.uri, () => this.tell()) ?? null;
    if (this.stop === null) this.later();
    else if (!first) this.changed();
  }

  end(): void {
    this.ended = true;
    this.pause();
  }

  private tell(): void {
    if (!this.ended) this.changed();
  }

  private pause(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.stop?.();
    this.stop = null;
  }

  /** The registry is ahead of the place for a moment, or the place cannot be reached. */
  private later(): void {
    if (this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.check();
    }, this.retryMs);
    this.timer.unref();
    this.retryMs = Math.min(this.retryMs * 2, LONGEST_RETRY_MS);
  }
}
