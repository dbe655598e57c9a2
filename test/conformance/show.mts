// Prints what a case comes to on both sides: `npx tsx test/conformance/show.ts NAME`.
import { prepareRuntime } from '../os/os-device.js';
import { CASES } from './cases.js';
import { runOnDevice } from './on-device.js';
import { runOnEdge } from './on-edge.js';
import { bytesOf } from './programs.js';

await prepareRuntime();
for (const wanted of CASES.filter(({ name }) => name.includes(process.argv[2] ?? ''))) {
  const bytes = await bytesOf(wanted);
  console.log(`\n== ${wanted.name}`);
  if (typeof bytes === 'string') {
    console.log(`needs ${bytes}`);
    continue;
  }
  const begin = performance.now();
  const device = runOnDevice(wanted, bytes);
  const middle = performance.now();
  console.log(JSON.stringify(device, null, 1));
  const edge = await runOnEdge(wanted, bytes, device);
  const end = performance.now();
  console.log(`device ${Math.round(middle - begin)} ms, edge ${Math.round(end - middle)} ms`);
  if (process.argv[3] === '--both') console.log(JSON.stringify(edge, null, 1));
}
