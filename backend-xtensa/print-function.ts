// Assembly text of a compiled function from its final bytes: literals, labels, symbols of relocations, trap notes. Takes
// a CompiledFunction; knows no object file and no addresses but offsets.
import { SITE_CALL, TRAP_MESSAGES } from '../compiler/abi/traps.js';
import type { CompiledFunction } from './compiled.js';
import { disassembleItems } from './isa/disassemble.js';

/** Lines like `  0a: bltu a1, a8, .L1f`, with offsets from the function's first byte. */
export function formatFunction(func: CompiledFunction): string {
  const { bytes, entry } = func;
  const symbols = new Map(func.relocations.map((r) => [r.offset, r] as const));
  const items = disassembleItems(bytes, 0, { data: func.dataRanges, symbolize: (at) => label(at) });
  const text = items.map((item) => item.text).join('\n');
  const targets = new Set([...text.matchAll(/\.L([0-9a-f]+)/g)].map((m) => parseInt(m[1]!, 16)));
  const notes = new Map<number, string>();
  for (const { offset, code } of func.sites) {
    if (code !== SITE_CALL) notes.set(offset, TRAP_MESSAGES[code] ?? `trap ${code}`);
  }
  const lines: string[] = [];
  for (const { address, text: line } of items) {
    if (address === entry) lines.push(`${func.symbol}:`);
    else if (targets.has(address)) lines.push(`${label(address)}:`);
    const relocation = symbols.get(address);
    const by = relocation?.addend ?? 0;
    const addend = by === 0 ? '' : by > 0 ? `+${by}` : `${by}`;
    let shown = line;
    if (relocation !== undefined) {
      const mnemonic = line.split(' ')[0]!;
      shown = `${mnemonic === '.word' ? '.word' : mnemonic} ${relocation.symbol}${addend}`;
    }
    const note = notes.get(address);
    lines.push(`  ${shown}${note === undefined ? '' : `  # ${note}`}`);
  }
  return lines.join('\n');
}

const label = (address: number): string => `.L${address.toString(16)}`;
