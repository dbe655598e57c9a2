// What a conformance case is: an application, and what is done to it. Plain data; knows neither device nor edge.
import type { MethodName, ModuleEntry, TypeEntry } from '../../manifest/file.js';

/** A module from text, or from a program in `programs/`. */
export type CaseModule = Omit<ModuleEntry, 'wasm' | 'version'> & {
  readonly source: { readonly wat: string } | { readonly program: string } | { readonly file: string };
};

export type Step =
  /** A request of the host; its answer goes into the transcript. */
  | {
      readonly ask: MethodName;
      readonly uri: string;
      readonly payload?: Uint8Array | string;
      readonly capacity?: number;
      /** Keeps the answer's word, an address of a window, under a number. */
      readonly keep?: number;
      /** Words of the payload that are such addresses, plus an offset. */
      readonly windows?: readonly { readonly at: number; readonly window: number; readonly plus: number }[];
    }
  /** Waits until a module has printed `count` lines. */
  | { readonly lines: string; readonly count: number }
  /** Waits until a module has had `count` faults. */
  | { readonly faults: string; readonly count: number }
  /** Waits until a module runs, is stopped or has failed. */
  | { readonly state: 'running' | 'stopped' | 'failed'; readonly of: string }
  /** Lets time pass. */
  | { readonly pass: number };

export interface Case {
  readonly name: string;
  /** For the table. */
  readonly shows: string;
  readonly types?: Readonly<Record<string, TypeEntry>>;
  readonly modules: readonly CaseModule[];
  readonly steps: readonly Step[];
}

/** What both sides tell. Lines and faults by module: modules run side by side on the edge. */
export interface Transcript {
  /** `GET /path -> 2.05 0a0b` */
  readonly answers: string[];
  readonly lines: Record<string, string[]>;
  readonly faults: Record<string, string[]>;
  /** What is printed without a module's name. */
  readonly console: string[];
}

export const emptyTranscript = (): Transcript => ({ answers: [], lines: {}, faults: {}, console: [] });

/** Where a step is not said to be answered: room for the response. */
export const DEFAULT_CAPACITY = 200;
const codeText = (code: number): string => `${code >> 5}.${String(code & 31).padStart(2, '0')}`;

export type Ask = Extract<Step, { ask: MethodName }>;

/** Where nothing was kept: no window has this address. */
const NO_WINDOW = 0x9fffff00;
const FIRST_WINDOW = 0x80000000;

/** Windows of one side by number: they have other addresses on the other side. */
export class Session {
  private readonly windows = new Map<number, number>();

  payloadOf({ payload = '', windows = [] }: Ask): Uint8Array {
    const bytes = Buffer.from(payload);
    for (const { at, window, plus } of windows)
      bytes.writeUInt32LE(((this.windows.get(window) ?? NO_WINDOW) + plus) >>> 0, 4 * at);
    return new Uint8Array(bytes);
  }

  /** The answer for the transcript. */
  line({ ask, uri, payload, keep, windows = [] }: Ask, code: number, answer: Uint8Array): string {
    const sent = [
      ...(payload === undefined ? [] : [Buffer.from(payload).toString('hex')]),
      ...windows.map(({ window, plus }) => `window ${window}+${plus}`),
    ].join(' ');
    let told = Buffer.from(answer).toString('hex');
    const word = answer.length === 4 ? Buffer.from(answer).readUInt32LE() : 0;
    if (keep !== undefined) {
      // One that could not be opened leaves the earlier one under this number.
      if (word !== 0) this.windows.set(keep, word);
      told = word === 0 ? 'no window' : word >= FIRST_WINDOW ? 'a window' : told;
    } else if (
      word >= FIRST_WINDOW &&
      word % 0x40000 === 0 &&
      ((word >>> 24) & 0x80) !== 0 &&
      windows.length === 0 &&
      word !== code << 24
    )
      told = 'a window';
    return `${ask} ${uri} ${sent} -> ${codeText(code)} ${told}`.replace(/ +/g, ' ').trimEnd();
  }
}

/** Traps that V8 tells by the same words. */
const MERGED: Readonly<Record<string, string>> = {
  'uninitialized element': 'indirect call type mismatch',
  'invalid conversion to integer': 'integer overflow',
};
/** Frames that are compared. */
const FRAMES = 3;

export function faultLine(
  reason: string,
  frames: readonly { readonly name: string; readonly offset: number }[],
): string {
  const trap = reason.replace(/^trap: /, '');
  const merged = MERGED[trap] ?? trap;
  // An endless loop is found somewhere in it, a full stack somewhere at the beginning of a function.
  // Where a killed one was is told by the edge only.
  if (merged === 'deadline expired' || merged === 'killed') return merged;
  const isFull = merged === 'call stack exhausted';
  // Of a call that does not return the device tells what stands behind it.
  const places = frames
    .slice(0, isFull ? 1 : FRAMES)
    .map(({ name, offset }, i) => (isFull || i > 0 ? name : `${name}@${offset.toString(16)}`));
  return [merged, ...places].join(' ');
}
