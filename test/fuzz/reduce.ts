// Takes a module that shows a difference and a predicate; gives a smaller module that still shows it: whole bodies, then
// runs of instructions, then single ones are removed or replaced, as long as the module stays valid. Delta debugging
// (Zeller and Hildebrandt, TSE 2002) on instruction lists. Knows no engine.
/// <reference lib="dom" />
import { joinModule, splitModule, type Body, type Instruction } from './instructions.js';

const UNREACHABLE_BODY: readonly Instruction[] = [Uint8Array.of(0x00), Uint8Array.of(0x0b)];
/** What an instruction may become: constants and drops keep types right often enough. */
const REPLACEMENTS: readonly Instruction[] = [
  Uint8Array.of(0x41, 0),
  Uint8Array.of(0x42, 0),
  Uint8Array.of(0x43, 0, 0, 0, 0),
  Uint8Array.of(0x44, 0, 0, 0, 0, 0, 0, 0, 0),
  Uint8Array.of(0x1a),
];

/** Smallest module found within `budget` trials for which `fails` holds. */
export function reduceModule(bytes: Uint8Array, fails: (bytes: Uint8Array) => boolean, budget = 4000): Uint8Array {
  const sections = splitModule(bytes);
  let bodies = [...sections.bodies];
  let best = bytes;
  let trials = 0;
  const attempt = (candidate: readonly Body[]): boolean => {
    if (trials >= budget) return false;
    const module = joinModule(sections.parts, candidate);
    if (!WebAssembly.validate(module as BufferSource)) return false;
    trials++;
    if (!fails(module)) return false;
    bodies = [...candidate];
    best = module;
    return true;
  };
  const withBody = (index: number, code: readonly Instruction[]): Body[] =>
    bodies.map((body, i) => (i === index ? { locals: body.locals, code } : body));
  for (let i = 0; i < bodies.length; i++) attempt(withBody(i, UNREACHABLE_BODY));
  for (let round = 0; round < 4; round++) {
    const before = best.length;
    for (let i = 0; i < bodies.length; i++) {
      for (let chunk = bodies[i]!.code.length >> 1; chunk >= 1; chunk >>= 1) {
        for (let at = 0; at + chunk < bodies[i]!.code.length;) {
          const { code } = bodies[i]!;
          const without = [...code.slice(0, at), ...code.slice(at + chunk)];
          const replaced = (): boolean =>
            REPLACEMENTS.some((r) => attempt(withBody(i, [...code.slice(0, at), r, ...code.slice(at + chunk)])));
          if (attempt(withBody(i, without))) continue;
          if (chunk > 1 && chunk <= 16) replaced();
          at += chunk <= 16 ? 1 : chunk;
        }
      }
    }
    if (best.length === before) break;
  }
  return best;
}
