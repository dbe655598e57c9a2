// Takes a script's commands and an executor; gives a verdict for each assertion. Knows no converter and no executor.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { convert, featureOfText } from './convert.js';
import { DeviceLimit, InstantiationTrap, type Executor, type Instance, type Outcome } from './executor.js';
import { parseScript, type Action, type Command, type ModuleSource } from './script.js';
import {
  UnsupportedScript,
  formatExpectation,
  formatValue,
  matches,
  parseConstant,
  parseExpectation,
} from './values.js';

export interface Verdict {
  readonly line: number;
  readonly command: string;
  readonly result: 'passed' | 'failed' | 'skipped';
  /** Why it failed or was skipped. */
  readonly reason?: string;
}

/** A command that cannot be judged; carries the reason. */
class Skip extends Error {}
class Failure extends Error {}

/** What a name or the "current module" stands for: an instance, or why there is none. */
type Slot = { readonly instance: Instance } | { readonly skip: string } | { readonly failed: string };

/** Spec texts and ours that mean the same trap. The suite's text is a prefix of the message, or is listed here. */
const TRAP_ALIASES: Readonly<Record<string, readonly string[]>> = {
  'integer overflow': ['integer overflow'],
  'undefined element': ['undefined element', 'out of bounds table access'],
  'uninitialized element': ['uninitialized element'],
  'out of bounds table access': ['out of bounds table access', 'undefined element'],
  uninitialized: ['uninitialized element'],
  'null function reference': ['uninitialized element'],
};

/** Faults of Wasm 2.0 that multi-memory has made legal. */
const SUPERSEDED_MESSAGE = 'superseded: legal with multi-memory';
const SUPERSEDED: ReadonlySet<string> = new Set(['multiple memories', 'zero byte expected', 'zero flag expected']);

function trapMatches(message: string, expected: string): boolean {
  const wanted = expected.replace(/^uninitialized element \d+$/, 'uninitialized element');
  return message === wanted || (TRAP_ALIASES[wanted]?.includes(message) ?? false);
}

/** Unsupported features are skips; everything else a diagnostic says is the module's fault. */
function asSkip(error: unknown): Skip | undefined {
  if (error instanceof DiagnosticError && (error.code === 'W301' || error.code === 'W501')) {
    return new Skip(`${error.code === 'W301' ? 'feature' : 'limit'}: ${error.message}`);
  }
  if (error instanceof DeviceLimit) return new Skip(`device: ${error.message}`);
  return undefined;
}

export class ScriptRunner {
  private readonly names = new Map<string, Slot>();
  private readonly definitions = new Map<string, ModuleSource>();
  private current: Slot = { skip: 'no module yet' };

  constructor(private readonly executor: Executor) {}

  /** Runs a whole script; never throws. */
  run(source: string): Verdict[] {
    this.executor.reset();
    let commands: Command[];
    try {
      commands = parseScript(source);
    } catch (error) {
      return [{ line: 0, command: 'script', result: 'skipped', reason: `script syntax: ${(error as Error).message}` }];
    }
    const verdicts: Verdict[] = [];
    for (const command of commands) {
      const base = { line: command.line, command: command.kind };
      try {
        const judged = this.execute(command);
        if (judged) verdicts.push({ ...base, result: 'passed' });
      } catch (error) {
        if (error instanceof Skip || error instanceof UnsupportedScript) {
          // A module that is skipped is no assertion, but the reader wants to see why its assertions are.
          verdicts.push({ ...base, result: 'skipped', reason: error.message });
        } else {
          const reason =
            error instanceof Error
              ? error instanceof Failure
                ? error.message
                : `${error.name}: ${error.message}`
              : String(error);
          verdicts.push({ ...base, result: 'failed', reason });
        }
      }
    }
    return verdicts;
  }

  /** True if the command is an assertion (or action) that held; false for bookkeeping. Throws Skip or Failure. */
  private execute(command: Command): boolean {
    switch (command.kind) {
      case 'module':
        return this.defineModule(command.module);
      case 'instance': {
        const source = this.definitions.get(command.definition ?? '');
        if (source === undefined) throw new Skip('module definition not available');
        return this.bind(command.id, source);
      }
      case 'register':
        this.executor.register(command.as, this.lookup(command.id));
        return false;
      case 'action':
        this.act(command.action);
        return true;
      case 'assert_return': {
        const expected = command.expected.map(parseExpectation);
        const outcome = this.act(command.action);
        if (outcome.kind === 'trap') throw new Failure(`trapped: ${outcome.message}`);
        const ok =
          outcome.values.length === expected.length && outcome.values.every((v, i) => matches(v, expected[i]!));
        if (!ok) {
          const got = outcome.values.map(formatValue).join(' ');
          throw new Failure(
            `${command.action.field}: got ${got}, expected ${expected.map(formatExpectation).join(' ')}`,
          );
        }
        return true;
      }
      case 'assert_trap':
      case 'assert_exhaustion': {
        const outcome = this.act(command.action);
        if (outcome.kind !== 'trap') throw new Failure(`${command.action.field}: no trap, expected ${command.text}`);
        if (!trapMatches(outcome.message, command.text))
          throw new Failure(`${command.action.field}: trap "${outcome.message}", expected "${command.text}"`);
        return true;
      }
      case 'assert_trap_module': {
        const message = this.instantiationFault(command.module, (e) =>
          e instanceof InstantiationTrap ? e.message : undefined,
        );
        if (!trapMatches(message, command.text)) throw new Failure(`trap "${message}", expected "${command.text}"`);
        return true;
      }
      case 'assert_unlinkable':
        this.instantiationFault(command.module, (e) =>
          e instanceof DiagnosticError && e.code.startsWith('W4') ? e.message : undefined,
        );
        return true;
      case 'assert_invalid':
      case 'assert_malformed': {
        if (command.kind === 'assert_malformed' && command.module.kind !== 'binary')
          throw new Skip('text format: no parser of ours');
        const superseded = SUPERSEDED.has(command.text);
        this.instantiationFault(
          command.module,
          (e) => {
            if (superseded && e instanceof DiagnosticError && e.code.startsWith('W4')) return SUPERSEDED_MESSAGE;
            // Malformed or invalid: which of the two depends on the order of checks, which the suites themselves change.
            return e instanceof DiagnosticError && /^W[12]/.test(e.code) ? e.message : undefined;
          },
          superseded ? SUPERSEDED_MESSAGE : undefined,
        );
        return true;
      }
      case 'unknown':
        throw new Skip(command.what === 'assert_exception' ? 'exception handling' : `command ${command.what}`);
    }
  }

  private defineModule(source: ModuleSource): boolean {
    if (source.definition) {
      if (source.id !== undefined) this.definitions.set(source.id, source);
      this.definitions.set('', source);
      return false;
    }
    return this.bind(source.id, source);
  }

  private bind(id: string | undefined, source: ModuleSource): boolean {
    let slot: Slot;
    let problem: Error | undefined;
    try {
      slot = { instance: this.instantiate(source) };
    } catch (error) {
      problem = error as Error;
      slot = error instanceof Skip ? { skip: error.message } : { failed: (error as Error).message };
    }
    this.current = slot;
    if (id !== undefined) this.names.set(id, slot);
    if (problem !== undefined) throw problem;
    return false;
  }

  private instantiate(source: ModuleSource): Instance {
    const converted = convert(source);
    if (!converted.ok)
      throw new Skip(`feature: ${featureOfText(source.text) ?? `not convertible: ${converted.reason}`}`);
    try {
      return this.executor.instantiate(converted.bytes);
    } catch (error) {
      throw asSkip(error) ?? error;
    }
  }

  /** Instantiates a module that must not instantiate; gives what `classify` makes of the fault. */
  private instantiationFault(
    source: ModuleSource,
    classify: (error: unknown) => string | undefined,
    acceptedIsSkip?: string,
  ): string {
    try {
      this.instantiate(source);
    } catch (error) {
      if (error instanceof Skip) throw error;
      const message = classify(error);
      if (message === undefined) throw error;
      if (message === acceptedIsSkip) throw new Skip(message);
      return message;
    }
    if (acceptedIsSkip !== undefined) throw new Skip(acceptedIsSkip);
    throw new Failure('module was accepted');
  }

  private lookup(id: string | undefined): Instance {
    const slot = id === undefined ? this.current : this.names.get(id);
    if (slot === undefined) throw new Failure(`no module ${id}`);
    if ('skip' in slot) throw new Skip(slot.skip);
    if ('failed' in slot) throw new Failure(`its module failed: ${slot.failed}`);
    return slot.instance;
  }

  private act(action: Action): Outcome {
    const args = action.args.map(parseConstant);
    const instance = this.lookup(action.module);
    if (action.kind === 'get') return { kind: 'values', values: [this.executor.get(instance, action.field)] };
    return this.executor.invoke(instance, action.field, args);
  }
}
