// The command `npm run bench -- --remote`: what a request over the serial line costs the device, by payload, beside what a
// conventional server takes; what an edge does a second; and how long a move keeps callers waiting. Prints or gives JSON.
// Knows what there is to measure, not how.
import { formatEdge, measureEdge } from './edge.js';
import { documentMigrationPauses, measureMigrationPauses } from './migration-pause.js';
import { measureRemote, type RemoteCost } from '../test/fleet/measure-remote.js';

/** SLIP with CRC-16 by table and CoAP with a callback per byte, measured on the same core: instructions by payload. */
const CONVENTIONAL: Readonly<Record<number, number>> = { 16: 3_008, 256: 14_767, 1024: 52_436 };
/** The goal: instructions a request, and for each byte on the wire. */
const GOAL = { request: 1_500, byte: 12 } as const;

const goalOf = ({ wireBytes }: RemoteCost): number => GOAL.request + GOAL.byte * wireBytes;
const grouped = (value: number): string => value.toLocaleString('en-US');

export function formatRemote(costs: readonly RemoteCost[]): string {
  const head = [
    '| payload each way | bytes on the wire | instructions of the device | goal | a conventional server |',
    '|---:|---:|---:|---:|---:|',
  ];
  const rows = costs.map((cost) => {
    const conventional = CONVENTIONAL[cost.payload];
    const cells = [cost.payload, cost.wireBytes, cost.instructions, goalOf(cost)].map(grouped);
    return `| ${[...cells, conventional === undefined ? '' : grouped(conventional)].join(' | ')} |`;
  });
  return [...head, ...rows].join('\n');
}

/** @returns the exit code */
export async function runRemote(wanted: { readonly json: boolean }): Promise<number> {
  const costs = await measureRemote();
  const edge = await measureEdge();
  const moves = await measureMigrationPauses();
  if (wanted.json)
    console.log(
      JSON.stringify({ device: costs.map((cost) => ({ ...cost, goal: goalOf(cost) })), edge, moves }, null, 2),
    );
  else console.log(`${formatRemote(costs)}\n\n${formatEdge(edge)}\n\n${documentMigrationPauses(moves)}`);
  return 0;
}
