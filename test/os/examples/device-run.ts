// Takes a things.json, gives what its modules say on the console of a simulated device. Knows no expectation.
import { ESP32 } from '../../../compiler/abi/boards.js';
import { Device, hostAddresses } from '../../../cli/device.js';
import { readThings } from '../../../cli/things.js';
import { readInput } from '../../../cli/io.js';
import { buildThings } from '../../../manifest/build.js';
import type { Machine } from '../../../simulator/machine.js';

/**
 * Builds, boots and runs for some simulated seconds.
 * @param wasm other files for some of the modules
 * @param prepare puts devices on the board's buses
 */
export function runOnDevice(
  path: string,
  seconds: number,
  wasm: Readonly<Record<string, string>> = {},
  prepare: (machine: Machine) => void = () => {},
): string[] {
  const { loaded, inputs } = readThings(path);
  const replaced = new Map(inputs);
  for (const [name, file] of Object.entries(wasm)) replaced.set(name, { name, file, bytes: readInput(file) });
  const built = buildThings(loaded, replaced, { board: ESP32, compile: { level: '2', deviceNames: true } });
  let console = '';
  const device = new Device(built.image, ESP32, hostAddresses(built.linked.symbols), {
    onConsole: (bytes) => (console += Buffer.from(bytes).toString('latin1')),
  });
  prepare(device.machine);
  const { ending } = device.boot({ maxSeconds: 1 });
  if (ending.kind !== 'returned') throw new Error(`boot: ${ending.kind}; console: ${console}`);
  device.runEvents({ maxSeconds: seconds - device.machine.clock.seconds() });
  return console.split('\n').slice(0, -1);
}
