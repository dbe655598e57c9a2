// The CLI from its sources, for tests that need a process of its own (bin/wasm-aot.js runs the compiled one).
import { main } from '../../cli/main.js';

process.exitCode = await main(process.argv.slice(2));
