// Takes an image, says what is wrong with the layout as a whole: objects, stacks and code that overlap, stack limits outside of
// their stacks. Knows no instructions.
import { LinkerSymbol } from '../compiler/abi/linker-symbols.js';
import { moduleRamSymbol } from '../compiler/abi/symbols.js';
import type { ElfSegment } from './elf.js';
import type { Image } from './image.js';

/** What the runtime may use below a module's stack limit; a leaf's frame of up to LEAF_FRAME_BYTES comes out of it. */
export const STACK_RESERVE = 512;
export const LEAF_FRAME_BYTES = 256;

interface Stack {
  readonly what: string;
  readonly bottom: number;
  readonly top: number;
}

/** Texts for people; none if all is well. */
export function layoutFaults(image: Image, segments: readonly ElfSegment[]): string[] {
  const faults: string[] = [];
  for (let i = 1; i < image.sorted.length; i++) {
    const before = image.sorted[i - 1]!;
    const object = image.sorted[i]!;
    if (object.size > 0 && before.start + before.size > object.start)
      faults.push(`${before.name} and ${object.name} overlap`);
  }
  for (const object of image.objects) {
    if (object.size === 0) continue;
    const end = object.start + object.size;
    for (const segment of segments) {
      if (segment.size === 0 || segment.address >= end || segment.address + segment.size <= object.start) continue;
      if (segment.executable) faults.push(`${object.name} lies in code`);
      // What grows has memory of its own, zeros only.
      else if (object.kind === 'memory-bytes' && segment.bytes.length > 0)
        faults.push(`${object.name} overlaps loaded data`);
      else if (!segment.writable) faults.push(`${object.name} lies in read-only memory`);
    }
  }
  for (const stack of stacksOf(image, faults)) checkStack(image, segments, stack, faults);
  return faults;
}

/** All stacks and their shadows. */
function stacksOf(image: Image, faults: string[]): Stack[] {
  const shared = stackAt(image, 'the stack', LinkerSymbol.WasmStackBottom, LinkerSymbol.WasmStackTop);
  const stacks = shared === null ? [] : [shared];
  for (const { name, stackLimit } of image.modules) {
    // In images of the device OS modules have stacks of their own.
    const bottom = moduleRamSymbol(name, 'stack_bottom');
    const own = stackAt(image, `the stack of ${name}`, bottom, moduleRamSymbol(name, 'stack_top'));
    if (own !== null) stacks.push(own);
    const stack = own ?? shared;
    if (stack === null) {
      faults.push(`${name} has no stack`);
      continue;
    }
    if (stackLimit < stack.bottom + STACK_RESERVE || stackLimit > stack.top)
      faults.push(`${name}: the stack limit is outside of the stack`);
  }
  const { shadow } = image;
  if (shadow !== null)
    for (const { what, bottom, top } of [...stacks])
      stacks.push({ what: `the shadow of ${what}`, bottom: (bottom + shadow) >>> 0, top: (top + shadow) >>> 0 });
  stacks.sort((a, b) => a.bottom - b.bottom);
  for (let i = 1; i < stacks.length; i++)
    if (stacks[i - 1]!.top > stacks[i]!.bottom) faults.push(`${stacks[i]!.what} overlaps ${stacks[i - 1]!.what}`);
  return stacks;
}

function stackAt(image: Image, what: string, bottomName: string, topName: string): Stack | null {
  const bottom = image.symbol(bottomName);
  const top = image.symbol(topName);
  return bottom === null || top === null || bottom >= top ? null : { what, bottom, top };
}

function checkStack(
  image: Image,
  segments: readonly ElfSegment[],
  { what, bottom, top }: Stack,
  faults: string[],
): void {
  const clash = image.objects.find((o) => o.size > 0 && o.start < top && o.start + o.size > bottom);
  if (clash !== undefined) faults.push(`${what} overlaps ${clash.name}`);
  const segment = segments.find((s) => s.bytes.length > 0 && s.address < top && s.address + s.bytes.length > bottom);
  if (segment !== undefined) faults.push(`${what} overlaps loaded bytes at 0x${segment.address.toString(16)}`);
}
