// Prepares a command line for yargs, which would take `-1` for an option and `-Os` for two. Pure.

export interface NormalisedArguments {
  readonly rest: readonly string[];
  /** What followed `--invoke NAME`, and everything behind `--`. */
  readonly invokeArgs: readonly string[];
}

/** Stands for `-` (standard input or output) while yargs looks at the arguments: it loses one that comes last. */
const STANDARD_STREAM = '\0-';

/** Gives the arguments that yargs parsed their `-` back. */
export function restoreStandardStreams<T>(value: T): T {
  if (Array.isArray(value)) return value.map(restoreStandardStreams) as T;
  return value === STANDARD_STREAM ? ('-' as T) : value;
}

/** A value rather than an option: does not begin with a minus, or is a negative number. */
function isValue(text: string): boolean {
  return !text.startsWith('-') || /^-(\d|\.\d|0x|inf|nan)/i.test(text);
}

export function normaliseArguments(argv: readonly string[]): NormalisedArguments {
  const rest: string[] = [];
  const invokeArgs: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const text = argv[i]!;
    if (text === '--') {
      invokeArgs.push(...argv.slice(i + 1));
      break;
    }
    if (/^-O[012s]$/.test(text)) {
      rest.push('-O', text.slice(2));
    } else if (text === '--invoke' || text.startsWith('--invoke=')) {
      // `--invoke=NAME` so that a name that begins with a minus stays one.
      if (text !== '--invoke') rest.push(text);
      else if (i + 1 < argv.length) rest.push(`--invoke=${argv[++i]}`);
      else rest.push(text);
      while (i + 1 < argv.length && isValue(argv[i + 1]!)) invokeArgs.push(argv[++i]!);
    } else {
      rest.push(text === '-' ? STANDARD_STREAM : text);
    }
  }
  return { rest, invokeArgs };
}
