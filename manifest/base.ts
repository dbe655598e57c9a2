// The link description of an image with slots (`app.slots.json`): addresses that a package may refer to and the slots'
// places. Takes and gives JSON values; trusts nothing it reads.
import { BOARDS } from '../compiler/abi/boards.js';
import type { BoardDescription } from '../compiler/abi/boards.js';
import { ABI_VERSION } from '../compiler/abi/layout.js';
import { LinkerSymbol } from '../compiler/abi/linker-symbols.js';
import { OS_ABI_VERSION } from '../compiler/abi/os-layout.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import type { LinkedImage } from '../linker/linked.js';
import type { SlotPlace } from '../linker/slots.js';
import { LINK_INTERFACE } from './build.js';
import { parseJson } from './source.js';

const FORMAT = 1;

/** What packages are linked against. */
export interface BaseImage {
  readonly board: BoardDescription;
  readonly id: number;
  readonly symbols: ReadonlyMap<string, number>;
  readonly slots: readonly SlotPlace[];
}

/** The value of `app.slots.json`; the firmware description in the ELF contains it too. */
export interface LinkDescription {
  readonly format: number;
  readonly board: string;
  readonly abi: { readonly wasm: number; readonly os: number };
  readonly id: number;
  readonly slots: readonly SlotPlace[];
  readonly symbols: Readonly<Record<string, number>>;
}

export function linkDescription(linked: LinkedImage, slots: readonly SlotPlace[]): LinkDescription {
  const symbols: Record<string, number> = {};
  for (const name of [...LINK_INTERFACE].sort()) {
    const symbol = linked.symbols.get(name);
    if (symbol !== undefined) symbols[name] = symbol.address;
  }
  return {
    format: FORMAT,
    board: linked.board.name,
    abi: { wasm: ABI_VERSION, os: OS_ABI_VERSION },
    id: linked.symbols.get(LinkerSymbol.BaseId)!.address,
    slots,
    symbols,
  };
}

/** @throws DiagnosticError W801, W812 */
export function readLinkDescription(bytes: Uint8Array, file: string): BaseImage {
  return checkLinkDescription(parseJson(bytes, file).value, file);
}

/** Parsed JSON that came from outside. @throws DiagnosticError W812 */
export function checkLinkDescription(json: unknown, file: string): BaseImage {
  const fail = (message: string): never => {
    throw new DiagnosticError('W812', `${message}: is this the .slots.json of an image with slots?`, { file });
  };
  const value = json as Partial<LinkDescription> | null;
  if (typeof value !== 'object' || value?.format !== FORMAT) return fail(`no link description of form ${FORMAT}`);
  const board = BOARDS.get(String(value.board));
  if (board === undefined) return fail(`unknown board "${String(value.board)}"`);
  if (value.abi?.wasm !== ABI_VERSION || value.abi?.os !== OS_ABI_VERSION)
    throw new DiagnosticError('W812', 'the image has another ABI version than this compiler: build it again', { file });
  if (!isWord(value.id)) return fail('no identity');
  if (typeof value.symbols !== 'object' || value.symbols === null) return fail('no symbols');
  const symbols = new Map(Object.entries(value.symbols));
  for (const [name, address] of symbols) if (!isWord(address)) return fail(`"${name}" has no address`);
  if (!Array.isArray(value.slots)) return fail('no slots');
  for (const slot of value.slots as (Partial<SlotPlace> | null)[]) {
    const { name, pages, ramBytes, codeBase, rodataBase, flashA, flashB, ramBase } = slot ?? {};
    if (typeof name !== 'string' || ![pages, ramBytes, codeBase, rodataBase, flashA, flashB, ramBase].every(isWord))
      return fail('a slot without a place');
  }
  return { board, id: value.id!, symbols, slots: value.slots };
}

function isWord(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
}
