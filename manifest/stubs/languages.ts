// The languages stubs can be made in: how each one's text and file are made. Knows nothing else.
import { assemblyScriptStubs } from './assemblyscript.js';
import { cStubs } from './c.js';
import type { StubPlan } from './plan.js';
import { rustStubs } from './rust.js';

export interface StubLanguage {
  readonly text: (plan: StubPlan) => string;
  /** File of a module. */
  readonly file: (module: string) => string;
}

const withUnderscores = (name: string): string => name.replace(/-/g, '_');

export const STUB_LANGUAGES: Readonly<Record<string, StubLanguage>> = {
  c: { text: cStubs, file: (module) => `${withUnderscores(module)}_things.h` },
  assemblyscript: { text: assemblyScriptStubs, file: (module) => `${withUnderscores(module)}_things.ts` },
  rust: { text: rustStubs, file: (module) => `${withUnderscores(module)}_things.rs` },
};
