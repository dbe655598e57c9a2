// `npx tsx test/os/preempt/main.ts [--stride N] [--offset N] [--scenario NAME] [--injection deadline|event]`: the exhaustive
// preemption test at every (or every N-th) instruction of every scenario, with its counts.
import { parseArgs } from 'node:util';
import { prepareRuntime } from '../os-device.js';
import { type Injection, sweep } from './run.js';
import { SCENARIOS } from './scenarios.js';

const { values } = parseArgs({
  options: {
    stride: { type: 'string' },
    offset: { type: 'string' },
    scenario: { type: 'string' },
    injection: { type: 'string' },
  },
});

async function main(): Promise<void> {
  await prepareRuntime();
  let failed = false;
  for (const scenario of SCENARIOS) {
    if (values.scenario !== undefined && values.scenario !== scenario.name) continue;
    for (const injection of ['deadline', 'event'] as Injection[]) {
      if (values.injection !== undefined && values.injection !== injection) continue;
      const begin = Date.now();
      const result = await sweep(scenario, {
        injection,
        stride: Number(values.stride ?? 1),
        offset: Number(values.offset ?? 0),
        onProgress: (text) => process.stderr.write(`${text}\n`),
      });
      const { instructions, runs, hits, failures } = result;
      console.log(
        `${scenario.name} ${injection}: ${instructions} instructions, ${runs} runs, ${hits} hits, ${failures.length} failures, ${((Date.now() - begin) / 1000).toFixed(0)} s`,
      );
      for (const failure of failures) console.log(`  ${failure}`);
      failed ||= failures.length > 0;
    }
  }
  if (failed) process.exitCode = 1;
}

void main();
