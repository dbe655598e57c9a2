// A bar on standard error for long work; nothing where that is no terminal. Takes fractions and texts.
import { Presets, SingleBar } from 'cli-progress';

const STEPS = 1000;

export class ProgressBar {
  private readonly bar: SingleBar | null;
  private started = false;

  constructor(what: string, quiet = false) {
    this.bar =
      quiet || process.stderr.isTTY !== true
        ? null
        : new SingleBar(
            { format: `${what} {bar} {percentage}% {step}`, clearOnComplete: true, hideCursor: true, barsize: 30 },
            Presets.shades_classic,
          );
  }

  /** @param fraction 0 to 1 */
  show(fraction: number, step: string): void {
    if (this.bar === null) return;
    if (!this.started) this.bar.start(STEPS, 0, { step });
    this.started = true;
    this.bar.update(Math.round(fraction * STEPS), { step });
  }

  end(): void {
    if (this.started) this.bar?.stop();
    this.started = false;
  }
}
