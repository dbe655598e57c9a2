// Builds the runtime objects into dist/runtime/esp32 unless they are current. `--force` compiles anyway.
import { buildRuntime } from '../firmware/build.js';
import { DiagnosticError, formatDiagnostic } from '../compiler/diagnostics.js';
import { MONOCYPHER_HINT } from '../firmware/monocypher.js';

try {
  const index = await buildRuntime({ force: process.argv.includes('--force') });
  console.log(`runtime: ${index.objects.length} objects, ${index.compiler}`);
  if (!index.cryptography) {
    const what = 'built without Monocypher, so no image with slots for installed modules can be linked';
    console.warn(formatDiagnostic(new DiagnosticError('W606', `${what}: ${MONOCYPHER_HINT}`), 'warning'));
  }
} catch (error) {
  if (!(error instanceof DiagnosticError)) throw error;
  console.error(formatDiagnostic(error));
  process.exitCode = 1;
}
