// The command `npm run bench -- --imc`: measures inter-module communication and the firmware's footprint, prints, compares
// with or writes the baseline, or writes the tables of docs/os.md. Knows what there is to measure, not how.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ESP32 } from '../compiler/abi/boards.js';
import { footprint } from './imc/footprint.js';
import { measureInstall } from './imc/install.js';
import { measureLatency } from './imc/latency.js';
import { buildScene, measureCalls, measurePreemption } from './imc/measure.js';
import { formatImc, imcRegressions, makeImcBaseline } from './imc/report.js';
import type { ImcBaseline, ImcResult } from './imc/report.js';
import { EVERYTHING } from './imc/scenes.js';
import { updateDocument } from './report/document.js';
import { BENCH_FOLDER, ROOT } from './rivals/tools.js';

const BASELINE = join(BENCH_FOLDER, 'imc-baseline.json');
const DOCUMENT = join(ROOT, 'docs', 'os.md');

export interface ImcArguments {
  readonly json: boolean;
  readonly check: boolean;
  readonly update: boolean;
  readonly document: boolean;
}

async function measure(): Promise<ImcResult> {
  return {
    figures: [
      ...(await measureCalls()),
      ...(await measurePreemption()),
      ...(await measureLatency()),
      ...(await measureInstall()),
    ],
    footprint: footprint((await buildScene(EVERYTHING, PUBLIC_KEY)).linked),
    clockHz: ESP32.cpuHz,
  };
}

/** Any key: it only has to be there for the installer to be linked. */
const PUBLIC_KEY = new Uint8Array(32).fill(1);

/** @returns the exit code */
export async function runImc(wanted: ImcArguments): Promise<number> {
  const result = await measure();
  if (wanted.json) console.log(JSON.stringify(result, null, 2));
  else if (!wanted.check && !wanted.update) console.log(formatImc(result));
  if (wanted.document) {
    writeFileSync(DOCUMENT, updateDocument(readFileSync(DOCUMENT, 'utf8'), { imc: formatImc(result) }));
    console.error(`wrote ${DOCUMENT}`);
  }
  if (wanted.update) {
    writeFileSync(BASELINE, `${JSON.stringify(makeImcBaseline(result), null, 2)}\n`);
    console.error(`wrote ${BASELINE}`);
  }
  if (!wanted.check) return 0;
  if (!existsSync(BASELINE)) throw new Error(`${BASELINE} is missing: --imc --update writes it`);
  const baseline = JSON.parse(readFileSync(BASELINE, 'utf8')) as ImcBaseline;
  const regressions = imcRegressions(result, baseline);
  for (const line of regressions) console.log(`REGRESSION ${line}`);
  console.log(
    `${Object.keys(baseline.figures).length} figures of the device OS compared, ${regressions.length} regressions`,
  );
  return regressions.length > 0 ? 1 : 0;
}
