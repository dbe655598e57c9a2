// Holds a package to everything that can be known of it before it runs anywhere. Takes bytes; gives the manifest entry, or
// all faults at once.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { joinSections, loadManifest } from '../../manifest/load.js';
import type { ModuleModel } from '../../manifest/model.js';
import { embedManifest, readManifestSection } from '../../manifest/section.js';
import type { ModulePackage } from '../fleet/types.js';
import { planModule } from '../host/plan.js';

/** @throws DiagnosticErrors of the module (W1xx, W2xx) and of its manifest (W8xx) */
export function checkPackage({ thing, wasm }: ModulePackage): ModuleModel {
  const file = `module of ${thing}`;
  const section = readManifestSection(wasm, file);
  if (section === null) throw new DiagnosticError('W814', 'the module carries no manifest', { file });
  const [model] = joinSections([{ file, section }]).app.modules;
  planModule(model!, wasm);
  return model!;
}

/**
 * A module with its entry of a things.json put into it.
 * @param name of the entry; null: the only one, or the one whose `wasm` is called like `file`
 * @throws DiagnosticErrors of the manifest; W802 if no entry fits
 */
export function packageFrom(wasm: Uint8Array, things: Uint8Array, file: string, name: string | null): Uint8Array {
  const { app } = loadManifest(things, 'things.json');
  const base = (path: string): string => path.split(/[\\/]/).pop()!;
  const fits = app.modules.filter((model) => {
    if (name !== null) return model.name === name;
    return app.modules.length === 1 || base(model.wasm) === base(file) || `${model.name}.wasm` === base(file);
  });
  const [model, second] = fits;
  if (model === undefined || second !== undefined) {
    const names = app.modules.map((entry) => entry.name).join(', ');
    throw new DiagnosticError('W802', `which of ${names} is ${name ?? file}?`, { file: 'things.json' });
  }
  return embedManifest(wasm, model.travelling);
}
