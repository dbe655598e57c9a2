// Links one module for a slot of a device whose image is known by its link description alone (D8). Gives the bytes of the
// bank beside the linked image. Refuses to know signatures and manifests.
import type { BoardDescription } from '../compiler/abi/boards.js';
import { LinkerSymbol, RuntimeSymbol } from '../compiler/abi/linker-symbols.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import { doesNotFit } from './bill.js';
import { BANK_REGION, layoutBank } from './layout-bank.js';
import type { ModulePlan } from './layout-device.js';
import { isLinkerDefined } from './layout.js';
import type { Layout } from './layout.js';
import { finish, layoutWithVeneers } from './link.js';
import type { LinkedImage } from './linked.js';
import type { InputObject } from './object.js';
import { refersTo } from './placer.js';
import type { SizeOf } from './placer.js';
import type { SlotPlace } from './slots.js';
import { checkImports, liveSections, resolveSymbols } from './symbols.js';

export interface BankTarget {
  readonly board: BoardDescription;
  /** What the image offers, by address. */
  readonly symbols: ReadonlyMap<string, number>;
  readonly slot: SlotPlace;
}

export interface LinkedBank {
  readonly linked: LinkedImage;
  /** From the start of the bank on; the header is still zeros. */
  readonly bytes: Uint8Array;
  /** RAM from the slot's start on that the module occupies. */
  readonly ramBytes: number;
}

const FIXED_NAMES: ReadonlySet<string> = new Set(Object.values(LinkerSymbol));

/**
 * @param headerBytes kept free at the start of the bank
 * @throws DiagnosticError W401, W402, W403, W405 as `link`; W406 for code with a shadow stack, which slots do not have
 */
export function linkBank(
  { board, symbols: externals, slot }: BankTarget,
  objects: readonly InputObject[],
  plan: ModulePlan,
  headerBytes: number,
): LinkedBank {
  if (refersTo(objects, LinkerSymbol.ShadowDisplacement))
    throw new DiagnosticError('W406', `${plan.module} was compiled with --cfi full, which slots do not have`);
  const isOwn = (name: string): boolean => isLinkerDefined(name) && !FIXED_NAMES.has(name);
  const resolution = resolveSymbols(objects, { isLinkerDefined: isOwn, externals });
  checkImports(objects, (symbol) => resolution.globals.has(symbol) || externals.has(symbol));
  // The list of modules is the base image's; the kernel finds this one by its header.
  const roots = objects.flatMap(({ sections }) => sections.filter(({ kind }) => kind !== 'modules'));
  const live = liveSections(resolution, roots);
  const run = (sizeOf: SizeOf): Layout => layoutBank(objects, live, slot, plan, headerBytes, sizeOf);
  const { layout, veneers } = layoutWithVeneers(run, live, resolution);
  if (layout.regions.some((region) => region.overflow > 0)) throw doesNotFit(layout, objects, live, board, 0);
  const linked = finish(objects, live, board, resolution, layout, veneers, new Map(), null);
  const bytes = bankBytes(linked, slot);
  const symbolList = linked.symbolList.map((symbol) =>
    externals.has(symbol.name) && symbol.name !== RuntimeSymbol.ArgumentBuffer
      ? { ...symbol, type: 'function' as const }
      : symbol,
  );
  return {
    linked: { ...linked, symbolList },
    bytes,
    ramBytes: layout.regions.find(({ name }) => name === BANK_REGION.ram)!.used,
  };
}

/** Constants and code as they lie in flash, in words. */
function bankBytes({ segments }: LinkedImage, slot: SlotPlace): Uint8Array {
  const parts = segments.flatMap(({ name, address, bytes }) => {
    if (bytes === null) return [];
    if (name === BANK_REGION.rodata) return [{ at: address - slot.rodataBase, bytes }];
    return name === BANK_REGION.code ? [{ at: address - slot.codeBase, bytes }] : [];
  });
  const bank = new Uint8Array(Math.max(...parts.map(({ at, bytes }) => at + bytes.length)));
  for (const { at, bytes } of parts) bank.set(bytes, at);
  return bank;
}
