// The four-stage watchdog that the timer groups and the RTC share: write protection, stages, flash-boot mode. Takes the
// register values, asks for a reset when a stage that resets expires. Source: ESP32 TRM, chapters 11 and 31.

import type { PeripheralHost } from '../bus/peripheral.js';

export const WATCHDOG_KEY = 0x50d83aa1;

/** What a stage does when its time is up. */
export type StageAction = 'off' | 'interrupt' | 'cpu-reset' | 'system-reset' | 'rtc-reset';

export interface WatchdogStage {
  readonly action: StageAction;
  /** In CPU cycles. */
  readonly cycles: number;
}

export interface WatchdogHooks {
  /** The stages as programmed now; empty when the watchdog is off. */
  stages(): readonly WatchdogStage[];
  interrupt(): void;
  /** @param stage whose time ran out */
  expired(action: StageAction): void;
}

export class Watchdog {
  private stage = 0;

  constructor(
    private readonly host: PeripheralHost,
    private readonly key: string,
    private readonly hooks: WatchdogHooks,
  ) {}

  /** Back to stage 0 with a full timeout; also after any change of its registers. */
  feed(): void {
    this.stage = 0;
    this.arm();
  }

  private arm(): void {
    const stages = this.hooks.stages();
    const current = stages[this.stage];
    if (current === undefined) {
      this.host.cancel(this.key);
      return;
    }
    // A timeout of 0 is over at once, but not within the same cycle for ever.
    const cycles = Math.max(current.cycles, 1);
    this.host.schedule(this.key, this.host.now() + cycles, () => this.timeUp(current.action));
  }

  private timeUp(action: StageAction): void {
    if (action === 'interrupt') this.hooks.interrupt();
    else if (action !== 'off') {
      this.hooks.expired(action);
      return;
    }
    this.stage = (this.stage + 1) % 4;
    this.arm();
  }
}
