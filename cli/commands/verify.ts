// `wasm-aot verify`: checks from the machine code of a linked ELF that its modules cannot leave their sandbox.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { verifyElf, type FunctionVerdict, type Verdict } from '../../verifier/verify.js';
import { ExitCode } from '../exit-codes.js';
import { isExecutableElf, isElf } from '../file-kind.js';
import { displayName, paint, print, printJson, readInput } from '../io.js';
import { jsonOption } from '../options.js';
import type { Command } from './command.js';

interface Args {
  readonly file: string;
  readonly cfi: string;
  readonly all: boolean;
  readonly json: boolean;
}

export const verifyCommand: Command<Args> = {
  name: 'verify',
  positionals: '<file>',
  describe: 'prove from the machine code of an ELF executable that its modules stay in their sandbox',
  examples: [
    ['$0 build app.wasm -o app.bin --elf app.elf && $0 verify app.elf', 'trusts nothing of the compiler'],
    ['$0 verify app.elf --cfi full', 'also demands that return addresses are checked'],
  ],
  epilogue:
    'Every store and load must be proved to stay in an object of the module, every call to reach a function entry, every\n' +
    'return to go back to the caller. Code of the runtime is trusted. Exit code 1 if anything is not proved.',
  options: (yargs) =>
    jsonOption(yargs)
      .positional('file', { describe: '.elf of `wasm-aot build --elf`', type: 'string', demandOption: true })
      .option('cfi', {
        describe: 'what the code must keep: forward, or full (return addresses compared with the shadow stack)',
        choices: ['forward', 'full'],
        default: 'forward',
        requiresArg: true,
      })
      .option('all', {
        describe: 'list proved functions and every violation',
        type: 'boolean',
        default: false,
      }) as never,
  run: ({ file, cfi, all, json }) => {
    const bytes = readInput(file);
    const name = displayName(file);
    if (!isElf(bytes) || !isExecutableElf(bytes))
      throw new DiagnosticError('W701', 'not an ELF executable (build --elf writes one)', { file: name });
    const verdict = verifyElf(bytes, name, { checkReturns: cfi === 'full' });
    if (json) printJson(verdict);
    else print(formatVerdict(verdict, all));
    return verdict.ok ? ExitCode.Ok : ExitCode.BadInput;
  },
};

function formatVerdict(verdict: Verdict, all: boolean): string {
  const lines = verdict.faults.map((fault) => `${paint.red('image')}: ${fault}`);
  let proved = 0;
  let bytes = 0;
  for (const func of verdict.functions) {
    bytes += func.size;
    if (func.violations.length === 0) proved++;
    if (all || func.violations.length > 0) lines.push(...formatFunction(func, all));
  }
  const count = `${proved} of ${verdict.functions.length} functions proved, ${bytes} bytes of code`;
  lines.push(verdict.ok ? `${paint.green('verified')}: ${count}` : `${paint.red('not verified')}: ${count}`);
  return `${lines.join('\n')}\n`;
}

function formatFunction({ name, address, violations }: FunctionVerdict, all: boolean): string[] {
  const head = `${name} at 0x${address.toString(16)}`;
  if (violations.length === 0) return [`${paint.green('ok')} ${head}`];
  const shown = all ? violations : violations.slice(0, 1);
  const more = violations.length - shown.length;
  return [
    `${paint.red('no')} ${head}`,
    ...shown.map((v) => `   0x${v.address.toString(16)}  ${v.instruction.padEnd(24)} ${v.reason}`),
    ...(more > 0 ? [`   and ${more} more`] : []),
  ];
}
