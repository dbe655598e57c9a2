// The CALL0 convention of the standalone firmware as data: a2..a7 arguments, a2..a5 results, a12..a15 callee-saved.
// Takes nothing; knows no frame layout and no instruction. Source: Xtensa ISA summary, "CALL0 register usage".
import { LIBCALLS } from '../../compiler/abi/libcalls.js';
import { BR_BASE, FR_BASE, type Abi } from './abi.js';

const range = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);

const CALLER_SAVED = range(2, 11);
const CALLEE_SAVED = range(12, 15);
/** Veneers to functions out of reach go through a8. */
const VENEER = 8;
/** What the FPU's step instructions need for division and square root. */
const steps = (last: number): number[] => [2, VENEER, ...range(FR_BASE, FR_BASE + last), BR_BASE];
const COMPARISON = [2, 6, 7, VENEER];

export const CALL0: Abi = {
  name: 'call0',
  arguments: range(2, 7),
  results: range(2, 5),
  callClobbers: [...CALLER_SAVED, ...range(FR_BASE, FR_BASE + 15), ...range(BR_BASE, BR_BASE + 15)],
  runtimeClobbers: CALLER_SAVED,
  // A test compares these with the code of rt-stubs/.
  knownRuntime: new Map([
    [LIBCALLS.f32Div.symbol, steps(8)],
    [LIBCALLS.f32Sqrt.symbol, steps(7)],
    [LIBCALLS.f64Eq.symbol, COMPARISON],
    [LIBCALLS.f64Ne.symbol, COMPARISON],
    [LIBCALLS.f64Lt.symbol, COMPARISON],
    [LIBCALLS.f64Le.symbol, COMPARISON],
  ]),
  calleeSaved: CALLEE_SAVED,
  scratch: [8, 9, 10],
  classes: [
    // Scratch registers first: they keep the argument registers free for the hints of calls.
    {
      name: 'ar',
      order: [...range(8, 11), ...range(2, 7), ...CALLEE_SAVED],
      calleeSaved: new Set(CALLEE_SAVED),
      slotWords: 1,
    },
    { name: 'fr', order: range(FR_BASE, FR_BASE + 15), calleeSaved: new Set(), slotWords: 1 },
    { name: 'br', order: range(BR_BASE, BR_BASE + 15), calleeSaved: new Set(), slotWords: 1 },
  ],
  stackAlign: 16,
};
