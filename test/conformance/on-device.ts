// Runs a case on the simulated device with the kernel, in virtual time. Takes a case, gives its transcript.
import { ESP32 } from '../../compiler/abi/boards.js';
import { ModuleState } from '../../compiler/abi/os-layout.js';
import { buildThings } from '../../manifest/build.js';
import { OsDevice } from '../os/os-device.js';
import { DEFAULT_CAPACITY, emptyTranscript, faultLine, Session, type Case, type Transcript } from './case.js';
import { manifestOf } from './manifest.js';

const PATIENCE_MS = 20_000;
const SLICE_MS = 2;

export function runOnDevice(wanted: Case, bytes: ReadonlyMap<string, Uint8Array>): Transcript {
  const inputs = new Map([...bytes].map(([name, contents]) => [name, { bytes: contents, file: `${name}.wasm` }]));
  const { linked, image } = buildThings(manifestOf(wanted), inputs, {
    board: ESP32,
    compile: { level: '2', deviceNames: true },
  });
  const device = new OsDevice({ linked, image });
  device.settle();
  const answers: string[] = [];
  const session = new Session();
  const told = (): Transcript => ({ ...transcriptOf(device.console), answers });
  const until = (what: string, done: () => boolean): void => {
    for (let passed = 0; !done(); passed += SLICE_MS) {
      if (passed > PATIENCE_MS) throw new Error(`device: ${what} does not come; console:\n${device.console}`);
      device.pass(SLICE_MS);
    }
  };
  const STATES = { running: ModuleState.Running, stopped: ModuleState.Stopped, failed: ModuleState.Failed } as const;
  for (const step of wanted.steps) {
    if ('ask' in step) {
      const answer = device.request(step.ask, step.uri, session.payloadOf(step), step.capacity ?? DEFAULT_CAPACITY);
      const code = (Math.floor(answer.code) << 5) | Math.round((answer.code % 1) * 100);
      answers.push(session.line(step, code, answer.payload));
    } else if ('lines' in step)
      until(`line ${step.count} of ${step.lines}`, () => (told().lines[step.lines]?.length ?? 0) >= step.count);
    else if ('faults' in step)
      until(`fault ${step.count} of ${step.faults}`, () => (told().faults[step.faults]?.length ?? 0) >= step.count);
    else if ('state' in step)
      until(`${step.of} ${step.state}`, () => device.module(step.of).state === STATES[step.state]);
    else device.pass(step.pass);
  }
  return told();
}

/** Reads the console: lines of modules, reports of faults with their frames. */
export function transcriptOf(console: string): Transcript {
  const transcript = emptyTranscript();
  const lines = Buffer.from(console, 'latin1').toString('utf8').split('\n').slice(0, -1);
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const [, module, text] = /^\[([^\]]+)\] (.*)$/s.exec(line) ?? [];
    const [, faulty, reason] = /^fault: module (\S+) \S+: (.*)$/.exec(line) ?? [];
    if (module !== undefined) (transcript.lines[module] ??= []).push(text!);
    else if (faulty !== undefined) {
      i++; // when, and what comes next
      const frames: { name: string; offset: number }[] = [];
      for (;;) {
        const [, func, name, offset] = /^ {2}#\d+ func (\d+)(?: (.*))? @0x([0-9a-f]+)$/.exec(lines[i + 1] ?? '') ?? [];
        if (func === undefined) break;
        frames.push({ name: name ?? `func${func}`, offset: parseInt(offset!, 16) });
        i++;
      }
      if (lines[i + 1] === '  ...') i++;
      (transcript.faults[faulty] ??= []).push(faultLine(reason!, frames));
    } else transcript.console.push(line);
  }
  return transcript;
}
