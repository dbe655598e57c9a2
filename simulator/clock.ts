// Simulated time: the clock tree as far as frequencies go, and events at cycle counts. Takes the cycle counter through a
// callback, gives ticks, seconds and due events; integer cycles are the only time there is, nothing reads the host's.

export const CRYSTAL_HZ = 40_000_000;
const APB_PLL_HZ = 80_000_000;

/** Frequencies, and how much time passed at each. */
export class Clock {
  private cpu: number;
  private apb: number;
  /** Values when the frequencies last changed. */
  private sinceCycle = 0;
  private secondsBefore = 0;
  private ticksBefore = 0;

  /** @param fixedHz CPU frequency that no register changes; undefined: follow the clock tree from the crystal on */
  constructor(
    private readonly now: () => number,
    private readonly fixedHz: number | undefined,
  ) {
    this.cpu = fixedHz ?? CRYSTAL_HZ;
    this.apb = fixedHz === undefined ? CRYSTAL_HZ : Math.min(fixedHz, APB_PLL_HZ);
  }

  get cpuHz(): number {
    return this.cpu;
  }
  get apbHz(): number {
    return this.apb;
  }

  /**
   * @param source RTC_CNTL.CLK_CONF.SOC_CLK_SEL
   * @param pllCpuHz CPU frequency when the source is the PLL
   */
  select(source: number, pllCpuHz: number): void {
    if (this.fixedHz !== undefined) return;
    const cpu = source === 1 ? pllCpuHz : source === 2 ? 8_000_000 : CRYSTAL_HZ;
    const apb = source === 1 ? APB_PLL_HZ : cpu;
    if (cpu === this.cpu && apb === this.apb) return;
    this.secondsBefore = this.seconds();
    this.ticksBefore = this.apbTicks();
    this.sinceCycle = this.now();
    this.cpu = cpu;
    this.apb = apb;
  }

  reset(): void {
    this.select(0, CRYSTAL_HZ);
  }

  /** Seconds since power-on. */
  seconds(): number {
    return this.secondsBefore + (this.now() - this.sinceCycle) / this.cpu;
  }

  /** APB clock ticks since power-on. */
  apbTicks(): number {
    return this.ticksBefore + Math.floor(((this.now() - this.sinceCycle) * this.apb) / this.cpu);
  }
}

interface ScheduledEvent {
  readonly key: string;
  readonly cycle: number;
  readonly action: () => void;
}

/** Events at cycle counts; few at a time, so a plain list. */
export class Scheduler {
  private events: ScheduledEvent[] = [];
  /** Cycle of the earliest event; Infinity when there is none. */
  nextCycle = Infinity;
  /** Called when the earliest event became earlier. */
  onEarlier: () => void = () => undefined;

  schedule(key: string, cycle: number, action: () => void): void {
    const before = this.nextCycle;
    this.events = this.events.filter((event) => event.key !== key);
    this.events.push({ key, cycle, action });
    this.update();
    if (this.nextCycle < before) this.onEarlier();
  }

  cancel(key: string): void {
    const count = this.events.length;
    this.events = this.events.filter((event) => event.key !== key);
    if (this.events.length !== count) this.update();
  }

  /** Runs every event due at `cycle`, earliest first. */
  runDue(cycle: number): void {
    while (this.nextCycle <= cycle) {
      let first = this.events[0] as ScheduledEvent;
      for (const event of this.events) if (event.cycle < first.cycle) first = event;
      this.events = this.events.filter((event) => event !== first);
      this.update();
      first.action();
    }
  }

  /** Earliest cycle of the events that `wakes` accepts; Infinity when none does. */
  nextMatching(wakes: (key: string) => boolean): number {
    return this.events.reduce((least, event) => (wakes(event.key) ? Math.min(least, event.cycle) : least), Infinity);
  }

  clear(): void {
    this.events = [];
    this.nextCycle = Infinity;
  }

  private update(): void {
    this.nextCycle = this.events.reduce((least, event) => Math.min(least, event.cycle), Infinity);
  }
}
