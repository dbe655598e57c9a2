// The small blocks start-up code touches: GPIO outputs and inputs, IO_MUX, eFuse words, the random number register and
// SYSCON. Each does the little that is said at its class, and nothing else. Source: ESP32 TRM, chapters 4, 20 and 24.

import { RegisterBlock } from '../bus/peripheral.js';

const PIN_INTERRUPT_TYPE_SHIFT = 7;
/** INT_ENA: the PRO CPU's ordinary interrupt. */
const PIN_INTERRUPT_PRO = 4 << 13;
const Edge = { Rising: 1, Falling: 2, Any: 3 } as const;

/**
 * GPIO: output latches with their set and clear registers, inputs set by the host or by the pin's own output, interrupts
 * on edges. The matrix and pulls are kept without effect; a pin nobody drives reads low.
 */
export class Gpio extends RegisterBlock {
  readonly name = 'GPIO';
  readonly base = 0x3ff44000;
  private inputs = [0, 0];
  /** Levels that were last looked at for edges. */
  private levels = [0, 0];

  constructor(private readonly interrupt: (active: boolean) => void) {
    super();
    const latch = (at: number, name: string): void => {
      const set = (value: number): void => this.change(at, this.value(at) | value);
      const clear = (value: number): void => this.change(at, this.value(at) & ~value);
      this.define({
        [at]: { name, write: () => this.findEdges() },
        [at + 4]: { name: `${name}_W1TS`, write: set },
        [at + 8]: { name: `${name}_W1TC`, write: clear },
      });
    };
    latch(0x04, 'OUT');
    latch(0x10, 'OUT1');
    latch(0x20, 'ENABLE');
    latch(0x2c, 'ENABLE1');
    this.define({
      0x38: { name: 'STRAP', writable: 0, reset: 0x13 },
      0x3c: { name: 'IN', writable: 0, read: () => this.level(0) },
      0x40: { name: 'IN1', writable: 0, read: () => this.level(1) },
    });
    for (const at of [0x44, 0x50]) this.defineStatus(at, at === 0x44 ? 'STATUS' : 'STATUS1');
    for (let pin = 0; pin < 40; pin++) this.define({ [0x88 + 4 * pin]: { name: `PIN${pin}` } });
    this.accept(0x130, 'FUNC_IN_SEL_CFG', 256);
    this.accept(0x530, 'FUNC_OUT_SEL_CFG', 40);
    this.reset();
  }

  /** Level of pin 0-39 as driven from outside. */
  setInput(pin: number, level: boolean): void {
    const word = pin >> 5;
    const bit = 1 << (pin & 31);
    const old = this.inputs[word] as number;
    this.inputs[word] = level ? old | bit : old & ~bit;
    this.findEdges();
  }

  private change(at: number, value: number): void {
    this.setValue(at, value);
    this.findEdges();
  }

  private defineStatus(at: number, name: string): void {
    const set = (value: number): void => {
      this.setValue(at, value);
      this.interrupt((this.value(0x44) | this.value(0x50)) !== 0);
    };
    this.define({
      [at]: { name, write: set },
      [at + 4]: { name: `${name}_W1TS`, write: (value) => set(this.value(at) | value) },
      [at + 8]: { name: `${name}_W1TC`, write: (value) => set(this.value(at) & ~value) },
    });
  }

  /** Levels of pins 0-31 or 32-39: what is driven from outside, or by the output where that is enabled. */
  private level(word: number): number {
    const enabled = this.value(word === 0 ? 0x20 : 0x2c);
    return ((this.inputs[word] as number) & ~enabled) | (this.value(word === 0 ? 0x04 : 0x10) & enabled);
  }

  private findEdges(): void {
    for (let word = 0; word < 2; word++) {
      const now = this.level(word);
      let changed = now ^ (this.levels[word] as number);
      this.levels[word] = now;
      for (let bit = 0; changed !== 0; bit++, changed >>>= 1) {
        if ((changed & 1) === 0) continue;
        const pin = this.value(0x88 + 4 * (32 * word + bit));
        const type = (pin >>> PIN_INTERRUPT_TYPE_SHIFT) & 7;
        const rising = ((now >>> bit) & 1) === 1;
        if ((pin & PIN_INTERRUPT_PRO) === 0 || !(type === Edge.Any || type === (rising ? Edge.Rising : Edge.Falling)))
          continue;
        const status = word === 0 ? 0x44 : 0x50;
        this.setValue(status, this.value(status) | (1 << bit));
        this.interrupt(true);
      }
    }
  }

  /** What pin 0-39 is driven to: undefined while its output is disabled. */
  output(pin: number): boolean | undefined {
    const bit = 1 << (pin & 31);
    const high = pin >= 32;
    if ((this.value(high ? 0x2c : 0x20) & bit) === 0) return undefined;
    return (this.value(high ? 0x10 : 0x04) & bit) !== 0;
  }
}

/** IO_MUX: pad configuration, kept without effect. */
export class IoMux extends RegisterBlock {
  readonly name = 'IO_MUX';
  readonly base = 0x3ff49000;

  constructor() {
    super();
    this.accept(0x00, 'PIN', 0x90 / 4 + 1);
    this.reset();
  }
}

/** eFuse: block 0 as on a chip of revision 3 with a made-up MAC address; nothing can be burnt. */
export class Efuse extends RegisterBlock {
  readonly name = 'EFUSE';
  readonly base = 0x3ff5a000;

  constructor() {
    super();
    const words = [0, 0x5e000001, 0x00a70200, 0x00008000, 0x00001000, 0x00100000, 0];
    words.forEach((word, i) => {
      this.define({ [4 * i]: { name: `BLK0_RDATA${i}`, writable: 0, read: () => word } });
    });
    this.reset();
  }
}

/** The random number register at 0x3FF75144: a xorshift generator from the host's seed, so that runs repeat. */
export class RandomNumbers extends RegisterBlock {
  readonly name = 'WDEV';
  readonly base = 0x3ff75000;
  private state: number;

  constructor(private readonly seed: number) {
    super();
    this.state = seed | 1;
    this.define({ 0x144: { name: 'RND', writable: 0, read: () => this.next() } });
    this.reset();
  }

  override reset(): void {
    super.reset();
    this.state = this.seed | 1;
  }

  private next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x;
  }
}

/** SYSCON (APB_CTRL): clock dividers, kept without effect. */
export class Syscon extends RegisterBlock {
  readonly name = 'SYSCON';
  readonly base = 0x3ff66000;

  constructor() {
    super();
    this.accept(0x00, 'SYSCLK_CONF');
    this.accept(0x04, 'XTAL_TICK_CONF', 1, 39);
    this.accept(0x08, 'PLL_TICK_CONF', 1, 79);
    this.accept(0x0c, 'CK8M_TICK_CONF', 1, 11);
    this.accept(0x3c, 'APLL_TICK_CONF', 1, 99);
    this.accept(0x7c, 'DATE', 1, 0x16042000);
    this.reset();
  }
}
