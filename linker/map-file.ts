// Takes a linked image, gives the map as text for people: regions, sections in address order with their symbols, the
// largest functions. Refuses to know bytes.
import { formatBill, makeBill } from './bill.js';
import type { LinkedImage, LinkedSymbol } from './linked.js';

/** How many functions the list of the largest has. */
const LARGEST = 20;

export function formatMap(image: LinkedImage, imageBytes: number): string {
  const lines: string[] = [`Map of an image for board ${image.board.name}, entry ${hex(image.entry)}`, ''];
  lines.push(formatBill(makeBill(image, imageBytes)), 'Sections by address', '');
  const symbols = image.symbolList.filter((symbol) => symbol.relative);
  let next = 0;
  let region = '';
  for (const section of image.sections) {
    if (section.region !== region) lines.push(`${(region = section.region)}`);
    lines.push(`  ${hex(section.address)} ${size(section.size)}  ${section.name}  (${section.object})`);
    // Symbols are sorted like sections, so one walk over both does.
    while (next < symbols.length && symbols[next]!.address < section.address) next++;
    for (; next < symbols.length && symbols[next]!.address < section.address + section.size; next++)
      lines.push(`    ${hex(symbols[next]!.address)} ${size(symbols[next]!.size)}    ${symbols[next]!.name}`);
  }
  lines.push('', 'Largest functions', '');
  for (const symbol of largestFunctions(image).slice(0, LARGEST)) lines.push(`${size(symbol.size)}  ${symbol.name}`);
  lines.push('', 'Values defined by the linker', '');
  for (const symbol of image.symbolList) if (!symbol.relative) lines.push(`  ${hex(symbol.address)}  ${symbol.name}`);
  return `${lines.join('\n')}\n`;
}

/** Functions by size, largest first, each once. */
export function largestFunctions(image: LinkedImage): LinkedSymbol[] {
  const byAddress = new Map<number, LinkedSymbol>();
  for (const symbol of image.symbolList) {
    if (symbol.type !== 'function' || symbol.size === 0) continue;
    const present = byAddress.get(symbol.address);
    // The local name says more than an export's alias.
    if (present === undefined || symbol.binding === 'local') byAddress.set(symbol.address, symbol);
  }
  return [...byAddress.values()].sort((a, b) => b.size - a.size || a.address - b.address);
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

function size(bytes: number): string {
  return String(bytes).padStart(8);
}
