// stub
import type { IsaFeature } from '../../backend-xtensa/isa/types.js';
import type { Memory } from '../bus/memory.js';
import type { CodeCache, Entry } from './code-cache.js';
import type { Core } from './core.js';
import type { Interpreter } from './interpreter.js';
export class Translator {
  constructor(
    _a: Core,
    _b: Memory,
    _c: ReadonlySet<IsaFeature>,
    _d: CodeCache,
    _e: Interpreter,
    _f: (pc: number) => boolean,
  ) {}
  translate(_e: Entry): void {}
}
