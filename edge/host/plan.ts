// Holds a module against its manifest entry before it runs on an edge, as `build` does for a device: exports, imports,
// memories. Takes both, gives how large its memories are and may become. Knows no thread.
import { frontend } from '../../compiler/driver.js';
import { planMemories } from '../../linker/memory-plan.js';
import { memoryLimits } from '../../manifest/build.js';
import { checkMemories, checkModule } from '../../manifest/check-modules.js';
import { Findings } from '../../manifest/findings.js';
import type { ModuleModel } from '../../manifest/model.js';
import type { MemoryLimits } from '../module/interface.js';

/** What a memory that grows gets at most if its manifest does not say. */
const DEFAULT_GROWTH_BYTES = 16 * 1024 * 1024;

/** @throws DiagnosticErrors: those of the decoder, W803, W809, W811 */
export function planModule(model: ModuleModel, wasm: Uint8Array): MemoryLimits {
  const file = model.wasm;
  const findings = new Findings(() => ({ file }));
  const ir = frontend(wasm, { file, name: model.name });
  checkModule(model, ir, findings);
  findings.raise();
  const { decisions } = planMemories([ir], { limits: memoryLimits([model]) });
  checkMemories([model], decisions, findings);
  findings.raise();
  return decisions.map(({ bytes, declaredBytes, growable }) => {
    if (!growable) return { bytes, maxBytes: bytes, exact: bytes < declaredBytes };
    const maxBytes = Math.max(bytes, model.memoryMax ?? DEFAULT_GROWTH_BYTES);
    return { bytes, maxBytes, exact: false };
  });
}
