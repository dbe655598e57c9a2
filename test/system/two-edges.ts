// Two edges of one fleet in a process of its own, for tests of the command line: prints their URLs, ends at SIGTERM.
import { EdgeServer } from '../../edge/server/edge-server.js';
import { SharedFleet } from '../../edge/server/shared-fleet.js';

const fleet = new SharedFleet();
const edges = ['house', 'attic'].map((name) => {
  return new EdgeServer({ name, dataDirectory: null, httpPort: 0, coapPort: null, fleet: fleet.member() });
});
for (const edge of edges) await edge.start();
process.stdout.write(`${JSON.stringify(edges.map(({ url }) => url))}\n`);
process.once('SIGTERM', () => void Promise.all(edges.map((edge) => edge.close())).then(() => process.exit(0)));
