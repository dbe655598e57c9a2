// Timer groups 0 and 1: two 64-bit timers with alarms, and the group's watchdog. Source: ESP32 TRM, chapter 18 and 11.
// Takes APB time from the machine's clock; counters are computed when read, alarms are scheduled events.

import type { PeripheralHost } from '../bus/peripheral.js';
import { RegisterBlock } from '../bus/peripheral.js';
import type { StageAction, WatchdogStage } from './watchdog.js';
import { WATCHDOG_KEY, Watchdog } from './watchdog.js';

const TWO64 = 1n << 64n;

const CONFIG_EN = 1 << 31;
const CONFIG_INCREASE = 1 << 30;
const CONFIG_AUTORELOAD = 1 << 29;
const CONFIG_LEVEL_INT = 1 << 11;
const CONFIG_ALARM_EN = 1 << 10;
const CONFIG_DIVIDER = 0xffff << 13;
const COUNTING = CONFIG_EN | CONFIG_INCREASE | CONFIG_DIVIDER;

const WDT_EN = 1 << 31;
const WDT_FLASHBOOT = 1 << 14;

/** Reset causes as the mask ROM prints them. */
const RESET_TG0_SYSTEM = 7;
const RESET_TG1_SYSTEM = 8;
const RESET_TG0_CPU = 11;
const RESET_TG1_CPU = 11;

class Timer {
  /** Counter value when `since` (APB ticks) was; it stands still while disabled. */
  private base = 0n;
  private since = 0;
  config = 0x60002000 | 0;
  alarm = 0n;
  load = 0n;
  latched = 0n;

  constructor(
    private readonly host: PeripheralHost,
    private readonly apbTicks: () => number,
    private readonly key: string,
    private readonly fire: () => void,
  ) {}

  reset(): void {
    this.base = 0n;
    this.config = 0x60002000 | 0;
    this.alarm = 0n;
    this.load = 0n;
    this.latched = 0n;
    this.host.cancel(this.key);
  }

  private get divider(): number {
    const raw = (this.config >>> 13) & 0xffff;
    return raw === 0 ? 65536 : raw === 1 ? 2 : raw;
  }

  now(): bigint {
    if ((this.config & CONFIG_EN) === 0) return this.base;
    const steps = BigInt(Math.floor((this.apbTicks() - this.since) / this.divider));
    const value = (this.config & CONFIG_INCREASE) !== 0 ? this.base + steps : this.base - steps;
    return ((value % TWO64) + TWO64) % TWO64;
  }

  set(value: bigint): void {
    this.base = value;
    this.since = this.apbTicks();
    this.schedule();
  }

  configure(value: number): void {
    const now = this.now();
    const rate = this.config ^ value;
    this.config = value;
    // The prescaler runs on through changes that are not about counting.
    if ((rate & COUNTING) === 0) this.schedule();
    else this.set(now);
  }

  schedule(): void {
    if ((this.config & CONFIG_EN) === 0 || (this.config & CONFIG_ALARM_EN) === 0) {
      this.host.cancel(this.key);
      return;
    }
    const now = this.now();
    const up = (this.config & CONFIG_INCREASE) !== 0;
    const passed = up ? now >= this.alarm : now <= this.alarm;
    const steps = passed ? 0 : Number(up ? this.alarm - now : now - this.alarm);
    const ticks = steps * this.divider - ((this.apbTicks() - this.since) % this.divider);
    const cycles = Math.max(1, Math.ceil((Math.max(ticks, 0) * this.host.cpuHz()) / this.host.apbHz()));
    this.host.schedule(this.key, this.host.now() + cycles, () => this.alarmReached());
  }

  private alarmReached(): void {
    this.config &= ~CONFIG_ALARM_EN;
    if ((this.config & CONFIG_AUTORELOAD) !== 0) this.set(this.load);
    if ((this.config & CONFIG_LEVEL_INT) !== 0) this.fire();
  }
}

const setLow = (old: bigint, low: number): bigint => (old & ~0xffffffffn) | BigInt(low >>> 0);
const setHigh = (old: bigint, high: number): bigint => (old & 0xffffffffn) | (BigInt(high >>> 0) << 32n);

export class TimerGroup extends RegisterBlock {
  readonly name: string;
  readonly base: number;
  private readonly timers: readonly Timer[];
  private readonly watchdog: Watchdog;
  private raw = 0;
  private unlocked = false;

  constructor(
    private readonly host: PeripheralHost,
    apbTicks: () => number,
    private readonly group: 0 | 1,
  ) {
    super();
    this.name = `TIMG${group}`;
    this.base = group === 0 ? 0x3ff5f000 : 0x3ff60000;
    this.timers = [0, 1].map((i) => new Timer(host, apbTicks, `${this.name}.t${i}`, () => this.interrupt(1 << i)));
    this.watchdog = new Watchdog(host, `${this.name}.wdt`, {
      stages: () => this.stages(),
      interrupt: () => this.interrupt(1 << 2),
      expired: (action) => this.expired(action),
    });
    this.timers.forEach((timer, i) => this.defineTimer(timer, i * 0x24));
    this.defineWatchdog();
    this.define({
      0x98: { name: 'INT_ENA', write: () => this.update() },
      0x9c: { name: 'INT_RAW', writable: 0, read: () => this.raw },
      0xa0: { name: 'INT_ST', writable: 0, read: () => this.raw & this.value(0x98) },
      0xa4: { name: 'INT_CLR', write: (value) => this.clear(value) },
    });
    this.accept(0x68, 'RTCCALICFG', 1, 0x13000);
    this.accept(0x6c, 'RTCCALICFG1');
    this.accept(0xf8, 'NTIMERS_DATE', 1, 0x1604290);
    this.accept(0xfc, 'REGCLK');
    this.reset();
  }

  private defineTimer(timer: Timer, at: number): void {
    const latch = (): void => {
      timer.latched = timer.now();
    };
    this.define({
      [at]: { name: 'CONFIG', read: () => timer.config, write: (value) => timer.configure(value) },
      [at + 0x4]: { name: 'LO', writable: 0, read: () => Number(timer.latched & 0xffffffffn) },
      [at + 0x8]: { name: 'HI', writable: 0, read: () => Number(timer.latched >> 32n) },
      [at + 0xc]: { name: 'UPDATE', write: latch },
      [at + 0x10]: {
        name: 'ALARMLO',
        write: (value) => {
          timer.alarm = setLow(timer.alarm, value);
          timer.schedule();
        },
      },
      [at + 0x14]: {
        name: 'ALARMHI',
        write: (value) => {
          timer.alarm = setHigh(timer.alarm, value);
          timer.schedule();
        },
      },
      [at + 0x18]: { name: 'LOADLO', write: (value) => (timer.load = setLow(timer.load, value)) },
      [at + 0x1c]: { name: 'LOADHI', write: (value) => (timer.load = setHigh(timer.load, value)) },
      [at + 0x20]: { name: 'LOAD', write: () => timer.set(timer.load) },
    });
  }

  private defineWatchdog(): void {
    const locked = (name: string, reset: number): { name: string; reset: number } => ({ name, reset });
    this.define({
      0x48: locked('WDTCONFIG0', 0x48000),
      0x4c: locked('WDTCONFIG1', 0x10000),
      0x50: locked('WDTCONFIG2', 26_000_000),
      0x54: locked('WDTCONFIG3', 0x7ffffff),
      0x58: locked('WDTCONFIG4', 0xfffff),
      0x5c: locked('WDTCONFIG5', 0xfffff),
      0x60: locked('WDTFEED', 0),
      0x64: { name: 'WDTWPROTECT', reset: WATCHDOG_KEY, write: (value) => (this.unlocked = value === WATCHDOG_KEY) },
    });
  }

  override write(offset: number, value: number): void {
    const guarded = offset >= 0x48 && offset <= 0x60;
    // Write-protected registers ignore writes without a sign of it.
    if (guarded && !this.unlocked) return;
    super.write(offset, value);
    if (guarded) this.watchdog.feed();
  }

  override reset(): void {
    super.reset();
    this.raw = 0;
    this.unlocked = true;
    for (const timer of this.timers) timer.reset();
    this.watchdog.feed();
    this.update();
  }

  /** As the mask ROM leaves group 0: watchdog on in flash-boot mode, registers locked. */
  armFlashBoot(): void {
    this.setValue(0x48, this.value(0x48) | WDT_EN | WDT_FLASHBOOT | (3 << 29));
    this.setValue(0x64, 0);
    this.unlocked = false;
    this.watchdog.feed();
  }

  private stages(): WatchdogStage[] {
    const config = this.value(0x48);
    if ((config & WDT_EN) === 0 && (config & WDT_FLASHBOOT) === 0) return [];
    const prescale = Math.max(this.value(0x4c) >>> 16, 1);
    const actions: readonly StageAction[] = ['off', 'interrupt', 'cpu-reset', 'system-reset'];
    if ((config & 0x7f800000) === 0) return []; // every stage off
    return [0, 1, 2, 3].map((stage) => ({
      action: actions[(config >>> (29 - 2 * stage)) & 3] as StageAction,
      cycles: Math.ceil(((this.value(0x50 + 4 * stage) >>> 0) * prescale * this.host.cpuHz()) / this.host.apbHz()),
    }));
  }

  private expired(action: StageAction): void {
    const system = action === 'system-reset';
    const cause =
      this.group === 0 ? (system ? RESET_TG0_SYSTEM : RESET_TG0_CPU) : system ? RESET_TG1_SYSTEM : RESET_TG1_CPU;
    this.host.requestReset(cause, `watchdog of timer group ${this.group} not fed in time`);
  }

  private interrupt(bit: number): void {
    this.raw |= bit;
    this.update();
  }

  private clear(value: number): void {
    this.raw &= ~value;
    this.update();
  }

  private update(): void {
    const active = this.raw & this.value(0x98);
    // Level sources: TG0 T0, T1, WDT are 14-16, TG1's are 18-20.
    const first = this.group === 0 ? 14 : 18;
    for (let i = 0; i < 3; i++) this.host.setInterruptSource(first + i, (active & (1 << i)) !== 0);
  }
}
