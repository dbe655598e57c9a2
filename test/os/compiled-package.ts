// Packages as `wasm-aot package` makes them, of modules in text form, for the slots of a built image. Takes text and
// manifest entry, gives the signed file. Knows no device.
import { linkDescription, readLinkDescription, type BaseImage } from '../../manifest/base.js';
import type { ModuleEntry } from '../../manifest/file.js';
import { loadManifest } from '../../manifest/load.js';
import { buildPackage } from '../../manifest/package.js';
import { wat } from '../support/wat.js';
import { SIGNER, type BuiltSlots } from './slots-device.js';

/** What packages are linked against. */
export function baseOf({ linked, slots }: BuiltSlots): BaseImage {
  return readLinkDescription(Buffer.from(JSON.stringify(linkDescription(linked, slots))), 'app.slots.json');
}

export async function compilePackage(
  base: BaseImage,
  text: string,
  entry: Partial<ModuleEntry> & { readonly name: string },
  slot = 'main',
): Promise<Uint8Array> {
  const module = { version: '1.0.0', wasm: 'm.wasm', stack: 2048, memory: { max: 1024 }, ...entry };
  const file = { name: 'p', version: '1.0.0', modules: [module] };
  const loaded = loadManifest(Buffer.from(JSON.stringify(file)), 'things.json');
  const input = { bytes: await wat(`(module ${text})`, { names: true }), file: 'm.wasm' };
  return buildPackage(loaded, entry.name, input, base, slot, SIGNER, { compile: {} }).bytes;
}
