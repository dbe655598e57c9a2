// The small blocks start-up code touches: GPIO outputs and inputs, IO_MUX, eFuse words, the random number register and
// SYSCON. Each does the little that is said at its class, and nothing else. Source: ESP32 TRM, chapters 4, 20 and 24.

import { RegisterBlock } from '../bus/peripheral.js';

/** GPIO: output latches with their set and clear registers, inputs set by the host. No interrupts, no matrix. */
export class Gpio extends RegisterBlock {
  readonly name = 'GPIO';
  readonly base = 0x3ff44000;
  private inputs = [0, 0];

  constructor() {
    super();
    const latch = (at: number, name: string): void => {
      const set = (value: number): void => this.setValue(at, this.value(at) | value);
      const clear = (value: number): void => this.setValue(at, this.value(at) & ~value);
      this.define({
        [at]: { name },
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
      0x3c: { name: 'IN', writable: 0, read: () => this.inputs[0] as number },
      0x40: { name: 'IN1', writable: 0, read: () => this.inputs[1] as number },
    });
    this.accept(0x88, 'PIN', 40);
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
