// The ways to a model: a things.json, or the sections that modules carry. Gives a model that has passed every check the
// manifest alone allows. Refuses to know the file system.
import { DiagnosticError } from '../compiler/diagnostics.js';
import { checkManifest } from './check.js';
import type { ThingsFile } from './file.js';
import { Findings } from './findings.js';
import type { AppModel } from './model.js';
import { resolveManifest } from './resolve.js';
import { checkSchema } from './schema.js';
import type { ManifestSection } from './section.js';
import { parseJson } from './source.js';

export interface LoadedManifest {
  readonly app: AppModel;
  /** Holds the warnings so far; later checks add theirs. */
  readonly findings: Findings;
}

/** @throws DiagnosticErrors W801 to W811, all at once */
export function loadManifest(bytes: Uint8Array, file: string): LoadedManifest {
  const { value, placeOf } = parseJson(bytes, file);
  return check(value, new Findings(placeOf), true);
}

export interface CarriedManifest {
  /** The .wasm. */
  readonly file: string;
  readonly section: ManifestSection;
}

/**
 * An application of modules that bring their own manifest entries.
 * @throws DiagnosticErrors as loadManifest; pointers are those of a things.json with these modules
 */
export function joinSections(carried: readonly CarriedManifest[]): LoadedManifest {
  const types = new Map<string, { readonly value: unknown; readonly file: string }>();
  for (const { section, file } of carried) {
    for (const [name, value] of Object.entries(section.types)) {
      const known = types.get(name);
      if (known !== undefined && JSON.stringify(known.value) !== JSON.stringify(value))
        throw new DiagnosticError('W804', `${known.file} and ${file} mean different types by "${name}"`, { file });
      types.set(name, { value, file });
    }
  }
  const names = carried.map(({ section }) => section.module['name']);
  const value = {
    name: names.length === 1 ? names[0] : 'things',
    version: carried.length === 1 ? carried[0]!.section.module['version'] : '0.0.0',
    modules: carried.map(({ section, file }) => ({ ...section.module, wasm: file })),
    types: Object.fromEntries([...types].map(([name, entry]) => [name, entry.value])),
  };
  const placeOf = (pointer: string) => {
    const index = Number(/^\/modules\/(\d+)/.exec(pointer)?.[1] ?? 0);
    return { file: carried[index]?.file ?? carried[0]!.file, section: 'things', pointer };
  };
  return check(value, new Findings(placeOf), false);
}

/** @param complete whether the modules are all that the application has */
function check(value: unknown, findings: Findings, complete: boolean): LoadedManifest {
  if (!checkSchema(value, findings)) findings.raise();
  const app = resolveManifest(value as ThingsFile, findings);
  // What follows takes types for granted.
  findings.raise();
  checkManifest(app, findings, complete);
  findings.raise();
  return { app, findings };
}
