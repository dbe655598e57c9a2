// The command line `thingspire` from its sources, for tests that need a process of its own.
import { main } from '../../cli/thingspire/main.js';

process.exitCode = await main(process.argv.slice(2));
