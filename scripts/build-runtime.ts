// Builds the runtime objects into dist/runtime/esp32 unless they are current. `--force` compiles anyway.
import { buildRuntime } from '../firmware/build.js';
import { DiagnosticError, formatDiagnostic } from '../compiler/diagnostics.js';

try {
  const index = await buildRuntime({ force: process.argv.includes('--force') });
  console.log(`runtime: ${index.objects.length} objects, ${index.compiler}`);
} catch (error) {
  if (!(error instanceof DiagnosticError)) throw error;
  console.error(formatDiagnostic(error));
  process.exitCode = 1;
}
