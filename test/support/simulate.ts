// The simulated board of `wasm-aot simulate` on a free port, from source: for tests that talk to it as to a chip.
import { main } from '../../cli/main.js';

process.exitCode = await main(['simulate', '--port', '0']);
