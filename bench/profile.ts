// The command `npx tsx bench/profile.ts PROGRAM [COLUMN] [PERCENT]`: where a benchmark's instructions go, as a listing of
// the hot code with execution counts, and a summary by opcode and function. For whoever improves the compiler.
import { disassembleItems } from '../backend-xtensa/isa/disassemble.js';
import { buildRuntime } from '../firmware/build.js';
import type { Machine } from '../simulator/machine.js';
import { PROGRAMS } from './programs.js';
import { PRODUCT } from './report/baseline.js';
import type { Column } from './rivals/column.js';
import { nativeColumn } from './rivals/native-column.js';
import { productColumn } from './rivals/product-column.js';
import { wasm2cColumn } from './rivals/wasm2c-column.js';

const COLUMNS: readonly Column[] = [
  productColumn(PRODUCT, 'wasm-aot', {}),
  ...(['llvm', 'gcc'] as const).flatMap((compiler) => [nativeColumn(compiler), wasm2cColumn(compiler)]),
];
const TOP_OPCODES = 16;
/** Addresses further apart than this are listed with a gap. */
const SAME_RUN = 3;

async function main(name: string, columnId = PRODUCT, percent = '0.5'): Promise<void> {
  const program = PROGRAMS.find((candidate) => candidate.name === name);
  const column = COLUMNS.find(({ id }) => id === columnId);
  if (program === undefined || column === undefined) {
    throw new Error(
      `usage: profile PROGRAM [COLUMN] [PERCENT]; columns are ${COLUMNS.map(({ id }) => id).join(', ')}, programs ${PROGRAMS.map((p) => p.name).join(', ')}`,
    );
  }
  await buildRuntime();
  const counts = new Map<number, number>();
  const opcodes = new Map<string, number>();
  let functions: readonly (readonly [string, number])[] = [];
  let device: Machine | undefined;
  const { instructions } = column.measure(program, (machine, symbols) => {
    device = machine;
    functions = [...symbols].filter(([, address]) => address >= 0x40000000).sort((a, b) => a[1] - b[1]);
    return ({ pc, row }) => {
      counts.set(pc, (counts.get(pc) ?? 0) + 1);
      opcodes.set(row.name, (opcodes.get(row.name) ?? 0) + 1);
    };
  });
  const machine = device as Machine;
  const functionAt = (pc: number): string => {
    const index = functions.findLastIndex(([, address]) => address <= pc);
    return functions[index]?.[0] ?? '?';
  };
  const share = (count: number): string => `${((100 * count) / instructions).toFixed(1)} %`;
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  console.log(`${name}, ${column.title}: ${instructions} instructions (${total} traced)`);

  const byFunction = new Map<string, number>();
  for (const [pc, count] of counts) byFunction.set(functionAt(pc), (byFunction.get(functionAt(pc)) ?? 0) + count);
  for (const [name, count] of descending(byFunction)) console.log(`  ${share(count).padStart(7)}  ${name}`);
  const mix = descending(opcodes).slice(0, TOP_OPCODES);
  console.log(`  ${mix.map(([opcode, count]) => `${opcode} ${share(count)}`).join(', ')}`);

  const least = (Number(percent) / 100) * instructions;
  const hot = [...counts].filter(([, count]) => count >= least).sort((a, b) => a[0] - b[0]);
  let expected = 0;
  for (const [pc, count] of hot) {
    if (pc - expected > SAME_RUN || expected === 0) console.log(`\n<${functionAt(pc)}>`);
    const item = disassembleItems(machine.readMemory(pc, 3), pc)[0];
    console.log(`${String(count).padStart(9)}  ${pc.toString(16)}  ${item?.text ?? '?'}`);
    expected = pc + (item?.size ?? 0);
  }
}

function descending(map: ReadonlyMap<string, number>): [string, number][] {
  return [...map].sort((a, b) => b[1] - a[1]);
}

const [name = '', column, percent] = process.argv.slice(2);
try {
  await main(name, column, percent);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}
