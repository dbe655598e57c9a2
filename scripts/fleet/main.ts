// `npm run fleet`: the weather station across two simulated devices and two edges; its filter moves from place to place
// while it is being called. `--check`: one fixed tour, with proof that nothing was lost; `--short`: a smaller one.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MoveEvent } from '../../edge/fleet/events.js';
import { EdgeClient } from '../../cli/thingspire/client.js';
import { readFleet } from '../../cli/thingspire/fleet-view.js';
import { Load, type LoadReport } from './load.js';
import { EDGES, freePort, openStage, THING, type Stage } from './stage.js';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const argv = process.argv.slice(2);
const check = argv.includes('--check');
const short = argv.includes('--short');
const unknown = argv.find((arg) => arg !== '--check' && arg !== '--short');
if (unknown !== undefined) {
  process.stderr.write(`usage: npm run fleet [-- --check [--short]], not ${unknown}\n`);
  process.exit(2);
}

/** The filter starts at the first place; back home is part of it. */
const TOUR = short
  ? ['device:porch', 'edge:house', 'device:attic', 'device:porch']
  : ['device:porch', 'edge:house', 'device:attic', 'edge:office', 'edge:house', 'device:attic', 'device:porch'];
const CALLERS = 4;
/** What a loaded machine may take for anything but a call. */
const PATIENCE_MS = 120_000;
/** Calls between two moves: the module is at work at every stop. */
const CALLS_AT_STOP = short ? 20 : 60;
const DEMO_STOP_MS = 8_000;

const say = (text: string): void => void process.stdout.write(`${text}\n`);
let interrupted = false;
const interruption = new Promise<void>((resolve) => {
  const stop = (): void => {
    interrupted = true;
    resolve();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
});
const sleep = (ms: number): Promise<void> =>
  Promise.race([new Promise<void>((resolve) => setTimeout(resolve, ms)), interruption]);

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (interrupted) throw new Error('interrupted');
    if (performance.now() > end) throw new Error(`${what}: not in ${PATIENCE_MS / 1000} s`);
    await sleep(100);
  }
}

const clientOf = (url: string): EdgeClient =>
  new EdgeClient({ url, token: undefined, ca: undefined, fingerprint: undefined });

/** As a process of its own, and not waited for with a stopped clock: the edges may be in this one. */
async function deploy(url: string, place: string, ...modules: string[]): Promise<void> {
  const only = modules.flatMap((name) => ['--only', name]);
  const args = ['deploy', 'examples/fleet/station.json', ...only, '--to', place, '--url', url];
  say(`$ npx thingspire ${args.join(' ')}`);
  const child = spawn(process.execPath, [join(root, 'bin/thingspire.js'), ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`deploying to ${place} failed`);
}

interface Weather {
  readonly time: number;
}

/** Time of the last sample that the filter has taken; null: none yet. */
async function lastSample(client: EdgeClient): Promise<number | null> {
  const { status, body } = await client.ask(`/things/${THING}/weather`);
  return status === 200 ? (JSON.parse(body.toString()) as Weather).time : null;
}

async function move(client: EdgeClient, to: string): Promise<MoveEvent> {
  let last: MoveEvent | null = null;
  for await (const line of client.lines(`/api/things/${THING}/modules/filter/move`, { to })) last = line as MoveEvent;
  if (last?.step !== 'done') throw new Error(`filter to ${to}: ${last?.reason ?? 'no end'}`);
  return last;
}

/** It is at work there: answers calls, and new samples of the sensor reach it. */
async function atWork(client: EdgeClient, load: Load): Promise<void> {
  const calls = load.calls;
  const sample = (await lastSample(client)) ?? 0;
  await until('calls', async () => load.calls >= calls + CALLS_AT_STOP);
  await until('samples', async () => ((await lastSample(client)) ?? 0) > sample);
}

async function travel(client: EdgeClient, load: Load): Promise<void> {
  await atWork(client, load);
  for (let stop = 1; check ? stop < TOUR.length : !interrupted; stop++) {
    const to = TOUR[stop % TOUR.length]!;
    if (!check) await sleep(DEMO_STOP_MS);
    if (interrupted) return;
    if (to === TOUR[(stop - 1) % TOUR.length]) continue;
    const { from, pauseMs = 0, stateBytes = 0 } = await move(client, to);
    say(`filter: ${from} -> ${to}: paused ${pauseMs.toFixed(0)} ms, state of ${stateBytes} bytes`);
    await atWork(client, load);
  }
}

async function tour({ urls }: Stage): Promise<boolean> {
  const load = new Load(
    Array.from({ length: CALLERS }, (_, i) => `${urls[EDGES[i % EDGES.length]!]}/things/${THING}/weather/reading`),
    check ? 10 : 40,
  );
  let report: LoadReport;
  try {
    await travel(clientOf(urls.house), load);
  } finally {
    report = await load.stop();
  }
  const { calls, failures, lost, doubled, restarts, longestMs } = report;
  say(`${calls} calls: ${lost} lost, ${doubled} run twice; the longest took ${longestMs.toFixed(0)} ms`);
  if (restarts > 0) say(`  state lost: the filter began anew ${restarts} times after a fault (see thingspire logs)`);
  for (const [what, count] of failures) say(`  ${count} x ${what}`);
  return lost === 0 && doubled === 0 && restarts === 0 && failures.size === 0;
}

async function main(): Promise<boolean> {
  const [house, office] = check ? [0, 0] : [await freePort(8080), await freePort(8081)];
  const quiet = /^(nats-server|porch|attic)$/;
  const onLine = (name: string, line: string): void => {
    if (!quiet.test(name) && /\b(fault|failed|warning)\b/.test(line)) say(`${name}: ${line}`);
  };
  say('starting two boards and two edges');
  const stage = await openStage({ ports: { house, office }, say, onLine });
  try {
    say(`${stage.between}\n`);
    const client = clientOf(stage.urls.house);
    await until('the devices', async () => {
      const { places } = await readFleet(client);
      return ['device:porch', 'device:attic'].every((name) => places.some((place) => place.name === name));
    });
    await deploy(stage.urls.house, TOUR[0]!, 'filter');
    await deploy(stage.urls.house, 'edge:office', 'store', 'console');
    await until('the first weather', async () => (await lastSample(client)) !== null);
    // Built into the image of a device at the other edge: its types are known here all the same.
    const alarm = `/things/${THING}/alarm`;
    await until('the alarm', async () => (await client.ask(alarm)).type === 'application/json');
    if (!check) say(`\nThe page: ${stage.urls.house}   (Ctrl-C ends)\n`);
    return await tour(stage);
  } finally {
    await stage.end();
  }
}

let fine = false;
try {
  fine = await main();
} catch (error) {
  if (!interrupted) process.stderr.write(`${(error as Error).message}\n`);
}
process.exit(fine || interrupted ? 0 : 1);
