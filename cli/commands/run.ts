// `wasm-aot run`: boots an image (built from Wasm files, or a .bin as it is) in the simulated ESP32, shows its console,
// invokes an export, counts what that took.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { TRAP_MESSAGES } from '../../compiler/abi/traps.js';
import { buildImage } from '../../linker/build.js';
import type { BuildResult } from '../../linker/build.js';
import { isFlashImage } from '../../linker/image/read.js';
import { Device, hostAddresses } from '../device.js';
import type { DeviceExport, Invocation, RunLimits } from '../device.js';
import { buildApplication, readBuildInput } from '../things.js';
import { displayName, note, print, printJson, Progress, readInput, StandardInput } from '../io.js';
import { boardOf, compileOptions, jsonOption, layoutOptions, toBuildOptions, toCompileOptions } from '../options.js';
import type { CompileArgs, LayoutArgs } from '../options.js';
import { describeEnding, exitCodeOfEnding } from '../trap-report.js';
import type { FunctionNames } from '../trap-report.js';
import { formatResults, parseArguments, splitSignature, wordCount } from '../values.js';
import type { Command } from './command.js';

interface Args extends CompileArgs, LayoutArgs {
  readonly input: readonly string[];
  readonly invoke: string | undefined;
  /** Taken out of the command line before yargs sees them: it would read `-1` as an option. */
  readonly invokeArgs: readonly string[];
  readonly stats: boolean;
  readonly timeout: number | undefined;
  readonly maxInstructions: number | undefined;
  readonly json: boolean;
}

export const runCommand: Command<Args> = {
  name: 'run',
  positionals: '<input..>',
  describe: 'run a things.json, .wasm or a flash image in the simulated ESP32',
  examples: [
    ['$0 run app.wasm', 'boots it; a command (`_start`) runs to its end'],
    ['$0 run app.wasm --invoke add 2 -3', 'prints i32:-1'],
    ['$0 run app.wasm --invoke scale 0.5 0xff --stats', 'last line: instructions, cycles, bytes as JSON'],
    ['$0 run app.bin', 'boots the very flash image'],
    ['$0 run app.wasm --arg app --arg hello', 'program arguments (WASI)'],
  ],
  epilogue: [
    'Arguments of --invoke: integers in decimal or 0x hexadecimal, negative ones as they are; floats in decimal, as nan,',
    'inf, or their bits as 0x hexadecimal; references as null. Standard input goes to UART0, the console to standard',
    'output. Exit code: 0, the code the program gave to proc_exit, 3 after a trap, 4 when a limit was reached.',
  ].join('\n'),
  options: (yargs) =>
    jsonOption(layoutOptions(compileOptions(yargs)))
      .positional('input', {
        describe: 'things.json, Wasm files or one flash image',
        type: 'string',
        array: true,
        demandOption: true,
      })
      .option('invoke', {
        describe: 'exported function to call after boot; its arguments follow',
        type: 'string',
        requiresArg: true,
      })
      .option('stats', {
        describe: 'end with one JSON line: what the invocation took, without boot',
        type: 'boolean',
        default: false,
      })
      .option('timeout', {
        describe: 'simulated seconds after which to stop (exit code 4 if nothing has ended by then)',
        type: 'number',
        requiresArg: true,
      })
      .option('max-instructions', {
        describe: 'instructions after which to stop (exit code 4)',
        type: 'number',
        requiresArg: true,
      }) as never,
  run: (args) => {
    const first = args.input[0]!;
    const limits = runLimits(args);
    const machine = { onConsole: (bytes: Uint8Array) => print(bytes) };
    const bytes = args.input.length === 1 ? readInput(first) : null;
    let built: BuildResult | null = null;
    let device: Device;
    if (bytes !== null && isFlashImage(bytes)) {
      device = Device.fromImage(bytes, boardOf(args), machine, displayName(first));
    } else {
      const progress = new Progress();
      const input = readBuildInput(args.input, args.name, bytes);
      // The firmware reports what traps during boot and `_start` itself, so it needs the names.
      const compile = { ...toCompileOptions(args), deviceNames: args.names ?? args.invoke === undefined };
      const options = { ...toBuildOptions(args), compile, onProgress: (what: string) => progress.show(what) };
      built =
        input.kind === 'application'
          ? buildApplication(input.application, args, options)
          : buildImage(input.modules, options);
      progress.clear();
      device = new Device(built.image, built.linked.board, hostAddresses(built.linked.symbols), machine);
    }
    const input = new StandardInput();
    device.onInputNeeded(() => input.read());
    if (args.invoke === undefined) return runProgram(device, built, args, limits);
    const boot = device.boot(limits);
    if (boot.ending.kind !== 'returned') return report(boot, args, built, []);
    return invoke(device, built, args.invoke, args, limits);
  },
};

function runLimits({ timeout, maxInstructions }: Args): RunLimits {
  for (const [option, value] of [
    ['--timeout', timeout],
    ['--max-instructions', maxInstructions],
  ] as const)
    if (value !== undefined && !(value > 0)) throw new DiagnosticError('W605', `${option} wants a positive number`);
  return {
    ...(timeout === undefined ? {} : { maxSeconds: timeout }),
    ...(maxInstructions === undefined ? {} : { maxInstructions }),
  };
}

/**
 * Boot with `_start`, which is what --stats counts if there is one. Modules with timers then run on until --timeout or
 * --max-instructions, which is no failure; without events there is nothing left to run.
 */
function runProgram(device: Device, built: BuildResult | null, args: Args, limits: RunLimits): number {
  const start = built?.modules.map(({ name }) => built.linked.symbols.get(`${name}._start`)?.address);
  const code = start?.findLast((address) => address !== undefined);
  const run = code === undefined ? device.boot(limits) : device.bootMeasuring(code, limits);
  if (run.ending.kind === 'returned') device.runEvents(limits);
  return report(run, args, built, []);
}

function invoke(device: Device, built: BuildResult | null, name: string, args: Args, limits: RunLimits): number {
  const found = findExport(device, built, name);
  const words = parseArguments(name, found.signature, args.invokeArgs);
  const run = device.invoke(found.code, words, wordCount(splitSignature(found.signature).results), limits);
  const lines = run.ending.kind === 'returned' ? formatResults(found.signature, run.results) : [];
  return report(run, args, built, lines);
}

/** The last module's export wins; `module.name` names one of a particular module. @throws DiagnosticError W603 */
function findExport(device: Device, built: BuildResult | null, name: string): DeviceExport {
  const modules = device.modules();
  const available: string[] = [];
  for (const module of modules.toReversed()) {
    for (const entry of module.exports) {
      if (entry.name === name || `${module.name}.${entry.name}` === name) return entry;
      available.push(entry.name);
    }
  }
  const other = built?.linked.modules.flatMap(({ info }) => info.exports).find((entry) => entry.name === name);
  if (other !== undefined) throw new DiagnosticError('W603', `"${name}" is an exported ${other.kind}, not a function`);
  const list =
    available.length === 0 ? 'none' : available.slice(0, 20).join(', ') + (available.length > 20 ? ', ...' : '');
  throw new DiagnosticError('W603', `no function "${name}"; exported functions: ${list}`);
}

function report(run: Invocation, args: Args, built: BuildResult | null, results: readonly string[]): number {
  const { ending } = run;
  if (args.json) {
    const trap = ending.kind === 'trapped' ? TRAP_MESSAGES[ending.code] : undefined;
    const names = functionNames(built);
    const frames = ending.kind === 'trapped' || ending.kind === 'deadline' ? ending.backtrace : undefined;
    const backtrace = frames?.map((frame) => {
      return { ...frame, funcName: frame.funcName ?? names(frame.module, frame.funcIndex) };
    });
    const code = ending.kind === 'exited' ? ending.code : undefined;
    const stats = args.stats ? statistics(run, built) : undefined;
    printJson({ ending: ending.kind, trap, exitCode: code, backtrace, results, stats });
    return exitCodeOfEnding(ending);
  }
  for (const line of results) print(`${line}\n`);
  // What traps while the board boots, its firmware has reported on the console.
  if (args.invoke !== undefined || ending.kind === 'limit' || ending.kind === 'stopped')
    note(describeEnding(ending, functionNames(built)));
  if (args.stats) printJson(statistics(run, built));
  return exitCodeOfEnding(ending);
}

/** From the objects' information: an image need not carry names. */
function functionNames(built: BuildResult | null): FunctionNames {
  return (module, funcIndex) => {
    const info = built?.linked.modules.find((candidate) => candidate.info.module === module)?.info;
    const known = [...(info?.functions ?? []), ...(info?.inlined ?? [])];
    return known.find(({ index }) => index === funcIndex)?.name ?? null;
  };
}

function statistics({ instructions, cycles, stackBytes }: Invocation, built: BuildResult | null): object {
  const rows = built?.bill.rows.filter((row) => row.name !== 'runtime') ?? [];
  const sum = (pick: (row: (typeof rows)[number]) => number): number =>
    rows.reduce((total, row) => total + pick(row), 0);
  const passes: Record<string, number> = {};
  for (const { compiled } of built?.modules ?? [])
    for (const [name, value] of Object.entries(compiled.stats.passes)) passes[name] = (passes[name] ?? 0) + value;
  return {
    instructions,
    cycles,
    codeBytes: sum((row) => row.code),
    dataBytes: sum((row) => row.rodata + row.data + row.bss),
    memoryBytes: built?.linked.memories.reduce((total, memory) => total + memory.bytes, 0) ?? 0,
    stackBytes,
    passes,
  };
}
