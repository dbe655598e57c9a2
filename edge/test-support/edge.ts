// For tests: an edge host with modules from WAT and manifest entries.
import wabtInit from 'wabt';
import { EdgeHost } from '../host/edge-host.js';
import type { HostEvent } from '../host/types.js';
import type { ModuleEntry, ThingsFile, TypeEntry } from '../../manifest/file.js';
import { Findings } from '../../manifest/findings.js';
import type { ModuleModel } from '../../manifest/model.js';
import { resolveManifest } from '../../manifest/resolve.js';
import type { Answer } from '../worker/protocol.js';

export type TestModule = Partial<ModuleEntry> & { readonly name: string; readonly wat: string };

/** Manifest entries with defaults filled in. */
export function modelsOf(modules: readonly TestModule[], types: Record<string, TypeEntry> = {}): ModuleModel[] {
  const entries = modules.map(({ wat: _, ...entry }) => ({ wasm: `${entry.name}.wasm`, version: '1.0.0', ...entry }));
  const file: ThingsFile = { name: 'test', version: '1.0.0', modules: entries, types };
  const findings = new Findings(() => ({}));
  const { modules: models } = resolveManifest(file, findings);
  findings.raise();
  return [...models];
}

export async function assemble(wat: string): Promise<Uint8Array> {
  const parsed = (await wabtInit()).parseWat('test.wat', wat);
  return parsed.toBinary({ write_debug_names: true }).buffer;
}

export interface TestEdge {
  readonly host: EdgeHost;
  readonly events: HostEvent[];
  get(uri: string, payload?: Uint8Array, method?: number): Promise<Answer>;
}

/** Starts the modules in order on a fresh host. */
export async function testEdge(
  modules: readonly TestModule[],
  types: Record<string, TypeEntry> = {},
): Promise<TestEdge> {
  const events: HostEvent[] = [];
  const host = new EdgeHost({ name: 'edge', onEvent: (event) => events.push(event), slackMs: 250 });
  const models = modelsOf(modules, types);
  for (const [i, model] of models.entries()) await host.add({ model, wasm: await assemble(modules[i]!.wat) });
  const get = (uri: string, payload = new Uint8Array(0), method = 1): Promise<Answer> =>
    host.request({ method, uri, payload, caller: 'test', capacity: 1024 });
  return { host, events, get };
}
