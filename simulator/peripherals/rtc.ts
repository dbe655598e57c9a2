// RTC_CNTL as far as start-up code uses it: its watchdog, the clock selection, the RTC timer, software reset and storage
// registers. Source: ESP32 TRM, chapter 31. Knows no sleep modes: asking for one stops the machine.

import type { PeripheralHost } from '../bus/peripheral.js';
import { RegisterBlock } from '../bus/peripheral.js';
import { MachineStop } from '../stop.js';
import type { StageAction, WatchdogStage } from './watchdog.js';
import { WATCHDOG_KEY, Watchdog } from './watchdog.js';

/** The internal slow clock, nominally. */
export const SLOW_CLOCK_HZ = 150_000;

const WDT_EN = 1 << 31;
const WDT_FLASHBOOT = 1 << 10;
const SW_SYS_RST = 1 << 31;
const RESET_SOFTWARE = 3;
const RESET_RTC_WDT_SYSTEM = 9;
const RESET_RTC_WDT_RTC = 16;
const RESET_RTC_WDT_CPU = 13;
const TIME_UPDATE = 1 << 31;
const TIME_VALID = 1 << 30;
const SLEEP_ENABLE = 1 << 31;

export class Rtc extends RegisterBlock {
  readonly name = 'RTC_CNTL';
  readonly base = 0x3ff48000;
  private readonly watchdog: Watchdog;
  private unlocked = false;
  private latchedTime = 0;

  /**
   * @param seconds time since power-on
   * @param clockChanged called when CLK_CONF was written
   */
  constructor(
    private readonly host: PeripheralHost,
    private readonly seconds: () => number,
    clockChanged: () => void,
  ) {
    super();
    this.watchdog = new Watchdog(host, 'RTC.wdt', {
      stages: () => this.stages(),
      interrupt: () => undefined,
      expired: (action) => this.expired(action),
    });
    const low = 0x100000000;
    this.define({
      0x00: { name: 'OPTIONS0', reset: 0x1c492000, write: (value) => this.options(value) },
      0x0c: { name: 'TIME_UPDATE', read: () => TIME_VALID, write: (value) => this.latchTime(value) },
      0x10: { name: 'TIME0', writable: 0, read: () => this.latchedTime % low },
      0x14: { name: 'TIME1', writable: 0, read: () => Math.floor(this.latchedTime / low) },
      0x18: { name: 'STATE0', write: (value) => refuseSleep(value) },
      0x70: { name: 'CLK_CONF', reset: 0x2210, write: () => clockChanged() },
      0x8c: { name: 'WDTCONFIG0', reset: 0x4880 },
      0x90: { name: 'WDTCONFIG1', reset: 128_000 },
      0x94: { name: 'WDTCONFIG2', reset: 80_000 },
      0x98: { name: 'WDTCONFIG3', reset: 0xfff },
      0x9c: { name: 'WDTCONFIG4', reset: 0xfff },
      0xa0: { name: 'WDTFEED' },
      0xa4: { name: 'WDTWPROTECT', reset: WATCHDOG_KEY, write: (value) => (this.unlocked = value === WATCHDOG_KEY) },
    });
    this.accept(0x04, 'SLP_TIMER', 2);
    this.accept(0x1c, 'TIMER', 5);
    this.accept(0x30, 'ANA_CONF', 1, 0x800000);
    this.accept(0x34, 'RESET_STATE', 1, 0x3041);
    this.accept(0x38, 'WAKEUP_STATE');
    this.accept(0x3c, 'INT_ENA');
    this.accept(0x40, 'INT_RAW');
    this.accept(0x44, 'INT_ST');
    this.accept(0x48, 'INT_CLR');
    this.accept(0x4c, 'STORE', 4);
    this.accept(0x5c, 'EXT_XTL_CONF');
    this.accept(0x60, 'EXT_WAKEUP_CONF');
    this.accept(0x64, 'SLP_REJECT_CONF');
    this.accept(0x68, 'CPU_PERIOD_CONF');
    this.accept(0x6c, 'SDIO_ACT_CONF');
    this.accept(0x74, 'SDIO_CONF', 1, 0x2a20000);
    this.accept(0x78, 'BIAS_CONF');
    this.accept(0x7c, 'VREG', 1, 0x29002400);
    this.accept(0x80, 'PWC', 1, 0x10925);
    this.accept(0x84, 'DIG_PWC');
    this.accept(0x88, 'DIG_ISO', 1, 0xaa805080 | 0);
    this.accept(0xa8, 'TEST_MUX');
    this.accept(0xac, 'SW_CPU_STALL');
    this.accept(0xb0, 'STORE4_', 4);
    this.accept(0xc0, 'LOW_POWER_ST', 1, 0x3f << 8);
    this.accept(0xc8, 'HOLD_FORCE');
    this.accept(0xd4, 'BROWN_OUT', 1, 0x13ff0000);
    this.accept(0x13c, 'DATE', 1, 0x1604280);
    this.reset();
  }

  override write(offset: number, value: number): void {
    const guarded = offset >= 0x8c && offset <= 0xa0;
    if (guarded && !this.unlocked) return;
    super.write(offset, value);
    if (guarded) this.watchdog.feed();
  }

  override reset(): void {
    super.reset();
    this.unlocked = true;
    this.watchdog.feed();
  }

  /** As the mask ROM leaves it: watchdog on in flash-boot mode, registers locked. */
  armFlashBoot(): void {
    this.setValue(0x8c, this.value(0x8c) | WDT_EN | WDT_FLASHBOOT | (4 << 28));
    this.setValue(0xa4, 0);
    this.unlocked = false;
    this.watchdog.feed();
  }

  /** CLK_CONF.SOC_CLK_SEL: 0 crystal, 1 PLL, 2 8 MHz oscillator, 3 APLL. */
  get clockSource(): number {
    return (this.value(0x70) >>> 27) & 3;
  }

  private stages(): WatchdogStage[] {
    const config = this.value(0x8c);
    if ((config & (WDT_EN | WDT_FLASHBOOT)) === 0) return [];
    if ((config & 0x7ff80000) === 0) return []; // every stage off
    const actions: readonly StageAction[] = ['off', 'interrupt', 'cpu-reset', 'system-reset', 'rtc-reset'];
    return [0, 1, 2, 3].map((stage) => ({
      action: actions[(config >>> (28 - 3 * stage)) & 7] ?? 'off',
      cycles: Math.ceil(((this.value(0x90 + 4 * stage) >>> 0) * this.host.cpuHz()) / SLOW_CLOCK_HZ),
    }));
  }

  private expired(action: StageAction): void {
    const causes = { 'cpu-reset': RESET_RTC_WDT_CPU, 'system-reset': RESET_RTC_WDT_SYSTEM } as const;
    const cause = action === 'cpu-reset' || action === 'system-reset' ? causes[action] : RESET_RTC_WDT_RTC;
    this.host.requestReset(cause, 'RTC watchdog not fed in time');
  }

  private options(value: number): void {
    if ((value & SW_SYS_RST) !== 0) this.host.requestReset(RESET_SOFTWARE, 'software reset');
  }

  private latchTime(value: number): void {
    if ((value & TIME_UPDATE) !== 0) this.latchedTime = Math.floor(this.seconds() * SLOW_CLOCK_HZ);
  }
}

function refuseSleep(value: number): void {
  if ((value & SLEEP_ENABLE) !== 0) throw new MachineStop('unmodelled', 'light and deep sleep are not modelled');
}
