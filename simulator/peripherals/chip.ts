// The peripherals of an ESP32 as one set: makes them, connects them to each other, resets them. Takes what they may ask
// of the machine, gives the list for the bus. Knows no CPU.

import type { Memory } from '../bus/memory.js';
import type { Peripheral, PeripheralHost } from '../bus/peripheral.js';
import { Dport, FlashMmu, StorageTable } from './dport.js';
import { FlashChip } from './flash-chip.js';
import { I2c } from './i2c.js';
import { Efuse, Gpio, IoMux, RandomNumbers, Syscon } from './misc.js';
import { Rtc } from './rtc.js';
import { Spi1 } from './spi1.js';
import { TimerGroup } from './timg.js';
import type { UartTiming } from './uart.js';
import { Uart } from './uart.js';

/** What the set tells the machine, and asks of its clock. */
export interface ChipEvents {
  setInterruptLines(lines: number): void;
  flashMappingChanged(): void;
  /** The clock registers were written: SOC_CLK_SEL, and the CPU frequency when that is the PLL. */
  selectClock(source: number, pllCpuHz: number): void;
  apbTicks(): number;
  seconds(): number;
  console(byte: number): void;
}

export interface ChipOptions {
  readonly memory: Memory;
  readonly uartTiming: UartTiming;
  readonly seed: number;
}

const GPIO_INTERRUPT_SOURCE = 22;

export class Chip {
  readonly gpio: Gpio;
  readonly i2c: readonly [I2c, I2c];
  readonly uart: Uart;
  readonly flashChip: FlashChip;
  /** Everything on the bus. */
  readonly peripherals: readonly Peripheral[];
  private readonly dport: Dport;
  private readonly rtc: Rtc;
  private readonly timers: readonly TimerGroup[];

  constructor(host: PeripheralHost, events: ChipEvents, options: ChipOptions) {
    const clockChanged = (): void => events.selectClock(this.rtc.clockSource, this.dport.pllCpuHz);
    const mmu = new FlashMmu(options.memory, () => events.flashMappingChanged());
    this.dport = new Dport(
      {
        setLines: (lines) => events.setInterruptLines(lines),
        flashMappingChanged: () => events.flashMappingChanged(),
        clockChanged,
      },
      mmu,
    );
    this.flashChip = new FlashChip({
      array: options.memory.bytes.subarray(options.memory.flashOffset),
      seconds: () => events.seconds(),
      cacheEnabled: () => this.dport.cacheEnabled,
      changed: () => this.dport.flashChanged(),
    });
    this.rtc = new Rtc(host, () => events.seconds(), clockChanged);
    this.timers = [0, 1].map((group) => new TimerGroup(host, () => events.apbTicks(), group as 0 | 1));
    this.gpio = new Gpio((active) => host.setInterruptSource(GPIO_INTERRUPT_SOURCE, active));
    this.i2c = [new I2c(host, 0), new I2c(host, 1)];
    this.uart = new Uart(host, (byte) => events.console(byte), options.uartTiming);
    const appTable = new StorageTable('APP_FLASH_MMU_TABLE', 0x3ff12000);
    const small = [
      new Spi1(this.flashChip),
      new IoMux(),
      new Efuse(),
      new RandomNumbers(options.seed),
      new Syscon(),
      appTable,
    ];
    this.peripherals = [this.dport, mmu, this.rtc, ...this.timers, this.uart, this.gpio, ...this.i2c, ...small];
  }

  reset(): void {
    for (const peripheral of this.peripherals) peripheral.reset();
  }

  setInterruptSource(source: number, active: boolean): void {
    this.dport.setSource(source, active);
  }

  /** As the mask ROM leaves them: RTC watchdog and timer group 0's on, in flash-boot mode. */
  armBootWatchdogs(): void {
    this.rtc.armFlashBoot();
    this.timers[0]?.armFlashBoot();
  }
}
