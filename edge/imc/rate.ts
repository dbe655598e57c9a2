// A token bucket: `rate` calls a second in the long run, `burst` at once. Knows no service.
export class TokenBucket {
  private tokens: number;
  private last: number;

  /** @param now milliseconds on any clock that does not go back */
  constructor(
    private readonly rate: number,
    private readonly burst: number,
    private readonly now: () => number,
  ) {
    this.tokens = burst;
    this.last = now();
  }

  /** Takes a token; false if there is none. */
  take(): boolean {
    const now = this.now();
    this.tokens = Math.min(this.burst, this.tokens + ((now - this.last) * this.rate) / 1000);
    this.last = now;
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }
}
