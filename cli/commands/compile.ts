// `wasm-aot compile`: one Wasm file to a relocatable object, to assembly text or to IR text.
import { compileModule } from '../../backend-xtensa/compile-module.js';
import { frontendWithTraffic } from '../../compiler/driver.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { Func } from '../../compiler/ir/function.js';
import type { IrModule } from '../../compiler/ir/module.js';
import { printFunc, printModule } from '../../compiler/ir/print.js';
import { PASSES } from '../../compiler/passes/pipeline.js';
import { readObject } from '../../linker/read-object.js';
import { ExitCode } from '../exit-codes.js';
import { type CheckedFunction, type CheckReport, formatChecks, reportChecks } from '../check-report.js';
import { displayName, Outputs, print, printJson, Progress, readInput } from '../io.js';
import { listObject } from '../listing.js';
import { compileOptions, jsonOption, toCompileOptions } from '../options.js';
import type { CompileArgs } from '../options.js';
import { defaultOutput } from '../paths.js';
import type { Command } from './command.js';

interface Args extends CompileArgs {
  readonly input: string;
  readonly output: string | undefined;
  readonly emit: string;
  readonly after: string | undefined;
  readonly explainChecks: boolean;
  readonly json: boolean;
}

const SUFFIX: Readonly<Record<string, string>> = { obj: '.o', asm: '.s', ir: '.ir' };

export const compileCommand: Command<Args> = {
  name: 'compile',
  positionals: '<input>',
  describe: 'compile one .wasm to a relocatable Xtensa object',
  examples: [
    ['$0 compile app.wasm -o app.o', 'object for any ELF linker'],
    ['$0 compile app.wasm --emit asm -o -', 'assembly on standard output'],
    ['$0 compile app.wasm --emit ir --after gvn -o -', 'the IR after a pass'],
    ['$0 compile app.wasm -Os --cfi full', 'small code, return addresses checked'],
    ['$0 compile app.wasm --explain-checks', 'which bounds checks are left, and why the others are not'],
    ['cat app.wasm | $0 compile - --name app -o app.o', 'from standard input'],
  ],
  options: (yargs) =>
    jsonOption(compileOptions(yargs))
      .positional('input', { describe: 'Wasm file, - for standard input', type: 'string', demandOption: true })
      .option('output', {
        alias: 'o',
        describe: 'output file, - for standard output (default: input with .o, .s or .ir)',
        type: 'string',
        requiresArg: true,
      })
      .option('emit', {
        describe: 'obj: ELF32 object; asm: listing of the final bytes; ir: the IR as translated, or after a pass',
        choices: ['obj', 'asm', 'ir'],
        default: 'obj',
      })
      .option('after', {
        describe: 'with --emit ir: print the functions as they are after this pass',
        choices: PASSES.map(({ name }) => name),
        requiresArg: true,
      })
      .option('explain-checks', {
        describe: 'list every safety check with what became of it and why',
        type: 'boolean',
        default: false,
      }) as never,
  run: (args) => {
    const bytes = readInput(args.input);
    const file = displayName(args.input);
    const output = args.output ?? defaultOutput(args.input, SUFFIX[args.emit]!);
    const progress = new Progress();
    progress.show(`compiling ${file}`);
    const { ir } = frontendWithTraffic(bytes, { file, ...(args.name === undefined ? {} : { name: args.name }) });
    const outputs = new Outputs();
    let stats: object = {};
    if (args.after !== undefined && args.emit !== 'ir')
      throw new DiagnosticError('W605', '--after goes with --emit ir');
    if (args.explainChecks && (args.emit === 'ir' || output === '-'))
      throw new DiagnosticError('W605', '--explain-checks needs an object or a listing written to a file');
    let report: CheckReport | null = null;
    if (args.emit === 'ir') {
      outputs.add(output, args.after === undefined ? printModule(ir) : printAfter(ir, args.after, args));
    } else {
      const collected: CheckedFunction[] = [];
      const compiled = compileModule(ir, {
        ...toCompileOptions(args),
        ...(args.explainChecks ? { onChecks: ({ index }, checks) => void collected.push({ index, checks }) } : {}),
      });
      if (args.explainChecks) report = reportChecks(ir, compiled, collected);
      stats = compiled.stats;
      const object = args.emit === 'obj' ? compiled.object : listObject(readObject(compiled.object, file, 'module'));
      outputs.add(output, object);
    }
    progress.clear();
    outputs.commit();
    if (args.json && output !== '-') {
      printJson({
        input: file,
        output,
        wasmBytes: bytes.length,
        stats,
        ...(report === null ? {} : { checks: report }),
      });
    } else if (report !== null) print(formatChecks(report));
    return ExitCode.Ok;
  },
};

/** The functions as they leave a pass; levels at which it does not run give nothing. */
function printAfter(ir: IrModule, wanted: string, args: CompileArgs): string {
  const texts: string[] = [];
  const afterPass = (pass: string, func: Func): void => {
    if (pass === wanted) texts.push(printFunc(func));
  };
  compileModule(ir, { ...toCompileOptions(args), afterPass });
  return texts.join('\n');
}
