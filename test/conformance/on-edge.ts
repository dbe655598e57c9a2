// Runs a case on an edge host, in real time. Takes a case and the transcript to wait for, gives its own.
import { METHOD_NUMBERS } from '../../compiler/abi/os-layout.js';
import { EdgeHost } from '../../edge/host/edge-host.js';
import type { HostEvent } from '../../edge/host/types.js';
import { DEFAULT_CAPACITY, emptyTranscript, faultLine, Session, type Case, type Transcript } from './case.js';
import { manifestOf } from './manifest.js';

const PATIENCE_MS = 20_000;
const LOOK_MS = 2;
/** After everything is there: what should not have come would be there, too. */
const SETTLE_MS = 60;
/** On a loaded machine a thread waits for the processor: what takes that long has not gone wrong. */
const SLACK_MS = 400;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** @param expected what it should come to: waited for, and then a little more */
export async function runOnEdge(
  wanted: Case,
  bytes: ReadonlyMap<string, Uint8Array>,
  expected: Transcript,
): Promise<Transcript> {
  const told = emptyTranscript();
  const raw: Buffer[] = [];
  const session = new Session();
  const host = new EdgeHost({
    name: 'edge',
    thing: 'conformance',
    slackMs: SLACK_MS,
    onEvent: (event: HostEvent) => {
      if (event.type === 'log') (told.lines[event.module] ??= []).push(event.text);
      else if (event.type === 'console') raw.push(Buffer.from(event.bytes));
      else if (event.type === 'fault') {
        const { module, reason, message, backtrace } = event.fault;
        const kind = reason === 'trapped' ? message : reason;
        (told.faults[module] ??= []).push(faultLine(kind, backtrace));
      }
    },
  });
  const transcript = (): Transcript => {
    const console = Buffer.concat(raw).toString('utf8').split('\n').slice(0, -1);
    return { ...told, console };
  };
  const until = async (done: () => boolean): Promise<boolean> => {
    for (const end = performance.now() + PATIENCE_MS; !done();) {
      if (performance.now() > end) return false;
      await pause(LOOK_MS);
    }
    return true;
  };
  const stateOf = (name: string): string | undefined => host.status().find((status) => status.name === name)?.state;
  try {
    for (const model of manifestOf(wanted).app.modules) await host.add({ model, wasm: bytes.get(model.name)! });
    for (const step of wanted.steps) {
      let fine = true;
      if ('ask' in step) {
        const { ask, uri, capacity = DEFAULT_CAPACITY } = step;
        const payload = session.payloadOf(step);
        // The device's host asks through its system module.
        const answer = await host.request({ method: METHOD_NUMBERS[ask], uri, payload, caller: 'sys', capacity });
        told.answers.push(session.line(step, answer.code, answer.payload));
      } else if ('lines' in step) fine = await until(() => (told.lines[step.lines]?.length ?? 0) >= step.count);
      else if ('faults' in step) fine = await until(() => (told.faults[step.faults]?.length ?? 0) >= step.count);
      else if ('state' in step) fine = await until(() => stateOf(step.of) === step.state);
      else await pause(step.pass);
      if (!fine) break;
    }
    const wantedText = JSON.stringify(sorted(expected));
    await until(() => JSON.stringify(sorted(transcript())) === wantedText || isLonger(transcript(), expected));
    await pause(SETTLE_MS);
    return transcript();
  } finally {
    await host.close();
  }
}

/** The same whatever came first of different modules. */
export function sorted(transcript: Transcript): unknown {
  const byName = (lists: Record<string, string[]>): unknown =>
    Object.fromEntries(Object.entries(lists).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { ...transcript, lines: byName(transcript.lines), faults: byName(transcript.faults) };
}

/** There is more than there should be: nothing to wait for. */
function isLonger(told: Transcript, expected: Transcript): boolean {
  const all = ({ answers, lines, faults, console }: Transcript): number =>
    [answers, console, ...Object.values(lines), ...Object.values(faults)].reduce((sum, { length }) => sum + length, 0);
  return all(told) >= all(expected);
}
