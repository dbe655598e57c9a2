// Slows down a module that prints without end, as the serial line does on the device: so much at once, so much a second.
// Takes lengths and a way to sleep; knows no message.

/** A second's worth; what a message costs beside its bytes. */
const BYTES_PER_SECOND = 256 * 1024;
const BURST_BYTES = 256 * 1024;
const MESSAGE_BYTES = 64;
const MS_PER_SECOND = 1000;

export class OutputThrottle {
  private room = BURST_BYTES;
  private last = performance.now();

  constructor(private readonly sleep: (milliseconds: number) => void) {}

  /** Waits until there is room; it is taken even for more than there can be. */
  take(bytes: number): void {
    this.refill();
    while (this.room <= 0) {
      this.sleep(Math.max(1, (-this.room * MS_PER_SECOND) / BYTES_PER_SECOND));
      this.refill();
    }
    this.room -= bytes + MESSAGE_BYTES;
  }

  private refill(): void {
    const now = performance.now();
    this.room = Math.min(BURST_BYTES, this.room + ((now - this.last) * BYTES_PER_SECOND) / MS_PER_SECOND);
    this.last = now;
  }
}
