// The command `npm run bench -- --fleet`: a fleet of simulated devices on many edges over NATS, as a table. Prints or gives
// JSON. Knows what there is to measure, not how.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measureFleet, type FleetNumbers, type FleetSizes } from './fleet/scenario.js';
import { updateDocument } from './report/document.js';
import { MissingTool, ROOT } from './rivals/tools.js';
import { natsVersion } from '../test/fleet/nats-server.js';

export const FULL: FleetSizes = {
  devices: 10_000,
  edges: 20,
  processes: 4,
  seconds: 10,
  changes: 100,
  ttlMs: 6_000,
  signed: false,
};

const DOCUMENT = join(ROOT, 'docs', 'fleet.md');

const grouped = (value: number): string => Math.round(value).toLocaleString('en-US');
const ms = (value: number): string => (value < 100 ? `${value.toFixed(1)} ms` : `${grouped(value)} ms`);
const seconds = (value: number): string => `${(value / 1000).toFixed(1)} s`;
const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

export function formatFleet(numbers: FleetNumbers): string {
  const { sizes, coldMs, joinMs, change, loads, death, restart, memory, runs, silent } = numbers;
  const rows: [string, string][] = [
    ['all edges start, until each knows all devices', seconds(coldMs)],
    ['one more edge starts, until it knows all devices', seconds(joinMs)],
    ['one change, until each edge has it: median / 99th percentile', `${ms(change.median)} / ${ms(change.p99)}`],
    ...loads.flatMap(({ callers, callsPerSecond, median, p99, failed, calls }): [string, string][] => {
      const who = callers === 1 ? '1 caller at each edge' : `${callers} callers at each edge`;
      return [
        [`${who}: calls per second, all edges`, grouped(callsPerSecond)],
        [`${who}: median / 99th percentile`, `${ms(median)} / ${ms(p99)}`],
        [`${who}: calls / not answered with 2.05`, `${grouped(calls)} / ${grouped(failed)}`],
      ];
    }),
    ['an edge is killed: calls that were under way there end with 5.04 after', seconds(death.underWayMs)],
    [`an edge is killed: each new call to its devices is answered with 5.03 at once after`, seconds(death.failFastMs)],
    ['its devices appear under other edges: all answer all edges after', seconds(death.servedMs)],
    ['NATS is killed: calls to devices of the same edge that failed', grouped(restart.localFailed)],
    [`NATS starts again after ${seconds(restart.awayMs)}: every call is answered after`, seconds(restart.answeredMs)],
    ['memory of one edge, resident / JavaScript heap', `${mib(memory.residentBytes)} / ${mib(memory.heapBytes)}`],
    ['requests that devices have run / more than once', `${grouped(runs.all)} / ${grouped(runs.twice)}`],
    ['calls in the end, to every device by several edges, without an answer', grouped(silent)],
  ];
  return [
    `${grouped(sizes.devices)} devices on ${sizes.edges} edges in ${sizes.processes + 1} processes, messages ` +
      `${sizes.signed ? 'signed' : 'not signed'}; ${numbers.processors}, ` +
      `load ${numbers.loadBefore.toFixed(1)} before; ${numbers.nats}.`,
    '',
    '| what | measured |',
    '|---|---:|',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
}

/**
 * @returns the exit code: 1 if a request was run twice or a device stayed silent
 * @throws MissingTool without nats-server
 */
export async function runFleet(
  wanted: { readonly json: boolean; readonly document: boolean },
  sizes: FleetSizes,
  progress: (text: string) => void,
): Promise<number> {
  if (natsVersion() === null) throw new MissingTool('nats-server is not installed');
  const numbers = await measureFleet(sizes, progress);
  progress('');
  console.log(wanted.json ? JSON.stringify(numbers, null, 2) : formatFleet(numbers));
  if (wanted.document) {
    writeFileSync(DOCUMENT, updateDocument(readFileSync(DOCUMENT, 'utf8'), { scale: formatFleet(numbers) }));
    console.error(`wrote ${DOCUMENT}`);
  }
  return numbers.runs.twice > 0 || numbers.silent > 0 ? 1 : 0;
}
