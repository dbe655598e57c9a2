// Measures the register allocator on made-up structured programs: speed by function size, and what the code it gives
// costs. Times are CPU time. Usage: npx tsx scripts/bench-regalloc.ts [--json] [--check]
import { allocate } from '../backend-xtensa/regalloc/allocate.js';
import { checkAllocation } from '../backend-xtensa/regalloc/checker.js';
import { structuredProgram, type ProgramShape } from '../backend-xtensa/regalloc/mock-structured.js';
import type { MockFunction } from '../backend-xtensa/regalloc/mock.js';

const BASE: ProgramShape = { statements: 300, variables: 14, registers: 14, saved: 4, calls: 0.03, maxDepth: 3 };

const QUALITY: Record<string, Partial<ProgramShape>> = {
  small: { statements: 40, variables: 8 },
  leaf: { calls: 0 },
  'with calls': { calls: 0.12 },
  'high pressure': { variables: 24, calls: 0.02 },
  'very high pressure': { variables: 40, calls: 0.02 },
};

function baseCost(input: MockFunction): number {
  let cost = 0;
  for (let b = 0; b < input.blockCount; b++) cost += (input.blockEnd(b) - input.blockStart(b)) * input.blockWeight(b);
  return cost;
}

const rows: Record<string, unknown>[] = [];
for (const [name, change] of Object.entries(QUALITY)) {
  let cost = 0;
  let base = 0;
  const sum = { moves: 0, loads: 0, stores: 0, remats: 0, saved: 0, insts: 0 };
  for (let seed = 0; seed < 40; seed++) {
    const input = structuredProgram({ ...BASE, ...change }, seed);
    const output = allocate(input);
    if (process.argv.includes('--check')) checkAllocation(input, output);
    const { stats } = output;
    const saved = [...input.classes[0]!.calleeSaved].filter((preg) => output.writtenRegisters.has(preg)).length;
    const own = baseCost(input);
    base += 1;
    cost += (stats.weightedCost + 2 * saved) / own;
    sum.moves += stats.moves;
    sum.loads += stats.loads;
    sum.stores += stats.stores;
    sum.remats += stats.remats;
    sum.saved += saved;
    sum.insts += input.instCount;
  }
  rows.push({ name, addedWorkPercent: Number(((100 * cost) / base).toFixed(2)), ...sum });
}
const speed: Record<string, unknown>[] = [];
for (const statements of [100, 1000, 10000, 30000]) {
  const input = structuredProgram({ ...BASE, statements, variables: 24 }, 1);
  const rounds = Math.max(1, Math.floor(100000 / input.instCount));
  allocate(input);
  const start = process.cpuUsage();
  for (let k = 0; k < rounds; k++) allocate(input);
  const { user, system } = process.cpuUsage(start);
  const milliseconds = (user + system) / 1000 / rounds;
  speed.push({
    instructions: input.instCount,
    blocks: input.blockCount,
    milliseconds: Number(milliseconds.toFixed(2)),
    instructionsPerSecond: Math.round((input.instCount / milliseconds) * 1000),
  });
}
if (process.argv.includes('--json')) console.log(JSON.stringify({ quality: rows, speed }));
else {
  console.table(rows);
  console.table(speed);
}
