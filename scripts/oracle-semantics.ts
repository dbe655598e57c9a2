// Regenerates test/oracle/semantics/vectors.txt: what random programs leave behind in Debian's QEMU, one hash a seed.
// `npx tsx scripts/oracle-semantics.ts [COUNT]`. Needs qemu-system-xtensa; compares with the simulator on the way and
// refuses to write when they differ.

import { writeFileSync } from 'node:fs';
import { describeBlock, hashBlock, makeBatch } from '../test/oracle/semantics/batch.js';
import { runInQemu, runInSimulator } from '../test/oracle/semantics/run.js';

const BATCH = 500;
const count = Number(process.argv[2] ?? 1000);
const lines: string[] = [];
let differences = 0;
for (let first = 1; first <= count; first += BATCH) {
  const seeds = Array.from({ length: Math.min(BATCH, count - first + 1) }, (_, i) => first + i);
  const batch = makeBatch(seeds);
  const theirs = runInQemu(batch);
  if (theirs === undefined) throw new Error('qemu-system-xtensa is not installed');
  const ours = runInSimulator(batch);
  seeds.forEach((seed, i) => {
    const [a, b] = [theirs[i] as Uint8Array, ours[i] as Uint8Array];
    lines.push(`${seed} ${hashBlock(a)}`);
    if (hashBlock(a) === hashBlock(b)) return;
    differences++;
    const mine = describeBlock(b);
    const differing = describeBlock(a).flatMap((line, k) => (line === mine[k] ? [] : [`${line} / ${mine[k]}`]));
    console.log(`seed ${seed}: qemu / simulator: ${differing.slice(0, 8).join(', ')}`);
  });
}
console.log(`${count} programs, ${differences} differences`);
if (differences > 0) process.exitCode = 1;
else writeFileSync(new URL('../test/oracle/semantics/vectors.txt', import.meta.url), `${lines.join('\n')}\n`);
