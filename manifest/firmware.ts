// The firmware description in an image's ELF: what an edge must know of a device that it cannot ask it, as JSON in a
// section that no loader loads. Takes a built application, gives the section's bytes, and reads them again; trusts
// nothing it reads. Refuses to know devices.
import type { LinkedImage } from '../linker/linked.js';
import { readSection } from '../linker/read-executable.js';
import type { SlotPlace } from '../linker/slots.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import { checkLinkDescription, linkDescription, type BaseImage, type LinkDescription } from './base.js';
import { joinSections } from './load.js';
import type { AppModel, ModuleModel } from './model.js';
import { sectionOfValue } from './section.js';
import { parseJson } from './source.js';

export const FIRMWARE_SECTION = '.thingspire';
const FORMAT = 1;

interface Description {
  readonly format: number;
  readonly name: string;
  readonly version: string;
  /** 32 bytes in hexadecimal, or null: nothing can be installed. */
  readonly publicKey: string | null;
  /** Of each built-in module what its custom section "things" would say. */
  readonly modules: readonly unknown[];
  readonly image: LinkDescription;
}

export interface FirmwareDescription {
  readonly name: string;
  readonly version: string;
  readonly publicKey: Uint8Array | null;
  /** Built-in modules. */
  readonly modules: readonly ModuleModel[];
  readonly image: BaseImage;
}

/** Sections for `writeElf`. */
export function firmwareNotes(
  app: AppModel,
  linked: LinkedImage,
  slots: readonly SlotPlace[],
  publicKey: Uint8Array | null,
): ReadonlyMap<string, Uint8Array> {
  const { name, version, modules } = app;
  const description: Description = {
    format: FORMAT,
    name,
    version,
    publicKey: publicKey === null ? null : Buffer.from(publicKey).toString('hex'),
    modules: modules.map(({ travelling }) => travelling),
    image: linkDescription(linked, slots),
  };
  return new Map([[FIRMWARE_SECTION, Buffer.from(JSON.stringify(description))]]);
}

/**
 * @param elf as `wasm-aot build --elf` writes it for an application
 * @throws DiagnosticError W701 no ELF, W812 no description in it, and those of wrong manifests
 */
export function readFirmware(elf: Uint8Array, file: string): FirmwareDescription {
  const fail = (message: string): never => {
    throw new DiagnosticError('W812', message, { file });
  };
  const section = readSection(elf, FIRMWARE_SECTION, file);
  if (section === null) return fail('no firmware description: was it written by build --elf for a things.json?');
  const value = parseJson(section, file).value as Partial<Description> | null;
  if (typeof value !== 'object' || value?.format !== FORMAT) return fail(`no firmware description of form ${FORMAT}`);
  const { name, version, publicKey, modules } = value;
  if (typeof name !== 'string' || typeof version !== 'string') return fail('the firmware has no name or version');
  if (publicKey !== null && !/^[0-9a-f]{64}$/.test(String(publicKey))) return fail('its public key has not 32 bytes');
  if (!Array.isArray(modules)) return fail('the firmware has no list of modules');
  return {
    name,
    version,
    publicKey: publicKey === null ? null : Buffer.from(publicKey!, 'hex'),
    modules: modules.map((entry: unknown) => {
      const carried = { file, section: sectionOfValue(entry, fail) };
      return joinSections([carried]).app.modules[0] ?? fail('a module without an entry');
    }),
    image: checkLinkDescription(value.image, file),
  };
}

export const isElf = (bytes: Uint8Array): boolean => Buffer.from(bytes.subarray(0, 4)).toString('latin1') === '\x7fELF';
