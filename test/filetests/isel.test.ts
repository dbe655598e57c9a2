// Golden files of the backend: lowered IR in, machine instructions over virtual registers and final assembly out.
// BLESS=1 rewrites outputs. `; level:` lowers the text through the passes of that level first (default: as it is).
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { CALL0 } from '../../backend-xtensa/abi/call0.js';
import { compileFunction } from '../../backend-xtensa/compile-function.js';
import { select } from '../../backend-xtensa/lower/select.js';
import { makeHardwareLoops } from '../../backend-xtensa/mach/hardware-loops.js';
import { layOut } from '../../backend-xtensa/mach/layout.js';
import { shrinkWrap } from '../../backend-xtensa/mach/shrink-wrap.js';
import { formatMach } from '../../backend-xtensa/mach/print.js';
import { formatFunction } from '../../backend-xtensa/print-function.js';
import { checkAllocation } from '../../backend-xtensa/regalloc/checker.js';
import { functionSymbols } from '../../compiler/abi/symbols.js';
import { parseModule } from '../../compiler/ir/parse.js';
import { verifyFunc } from '../../compiler/ir/verify.js';

const folder = fileURLToPath(new URL('./isel', import.meta.url));
const EXPECT = '; expect:';

function blessed(text: string): string {
  const input = text.split(`${EXPECT}\n`)[0]!.trimEnd();
  const { module } = parseModule(input);
  const context = {
    abi: CALL0,
    symbols: functionSymbols(module),
    stackLimit: 'm$stack_limit',
    callees: new Map(),
    checkReturns: input.includes('; cfi: full'),
    hardwareLoops: true,
    shrinkWrap: true,
    copyForSpeed: true,
    inspectAllocation: checkAllocation,
  };
  const facts = { signature: null, bodyOffset: 0, ownCheck: true };
  const out: string[] = [];
  for (const func of module.bodies.filter((f) => f.index !== module.initIndex)) {
    expect(verifyFunc(func, { module, machine: true }).map(({ message }) => message)).toEqual([]);
    const mach = select(func, context);
    makeHardwareLoops(mach, new Set());
    shrinkWrap(mach);
    layOut(mach);
    out.push(formatMach(mach), '--', formatFunction(compileFunction(func, context, facts)), '');
  }
  const lines = out
    .join('\n')
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? ';' : `; ${line}`));
  return `${input}\n\n${EXPECT}\n${lines.join('\n')}\n`;
}

describe('isel', () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.ir'))) {
    test(name, () => {
      const text = readFileSync(`${folder}/${name}`, 'utf8');
      const now = blessed(text);
      if (process.env['BLESS'] === '1') writeFileSync(`${folder}/${name}`, now);
      else expect(now).toBe(text);
    });
  }
});
