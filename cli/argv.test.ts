// Command lines before yargs sees them.
import { describe, expect, it } from 'vitest';
import { normaliseArguments, restoreStandardStreams } from './argv.js';

describe('normaliseArguments', () => {
  it.each([
    ['run a.wasm --invoke add 2 -3', 'run a.wasm --invoke=add', '2 -3'],
    ['run a.wasm --invoke f -0x10 -inf -nan -.5 --stats', 'run a.wasm --invoke=f --stats', '-0x10 -inf -nan -.5'],
    ['run a.wasm --invoke f 1 -O2 --json', 'run a.wasm --invoke=f -O 2 --json', '1'],
    ['run a.wasm --invoke=f -1', 'run a.wasm --invoke=f', '-1'],
    ['run a.wasm --invoke -strange 1', 'run a.wasm --invoke=-strange', '1'],
    ['run a.wasm --invoke f -- --odd -x', 'run a.wasm --invoke=f', '--odd -x'],
    ['compile a.wasm -Os -o a.o', 'compile a.wasm -O s -o a.o', ''],
    ['run a.wasm --invoke', 'run a.wasm --invoke', ''],
    ['run a.wasm --invoke f -', 'run a.wasm --invoke=f \0-', ''],
  ])('%s', (line, rest, invokeArgs) => {
    const normalised = normaliseArguments(line.split(' '));
    expect(normalised.rest.join(' ')).toBe(rest);
    expect(normalised.invokeArgs.join(' ')).toBe(invokeArgs);
  });

  it('keeps - for standard streams through yargs', () => {
    const { rest } = normaliseArguments(['build', '-', '-o', '-']);
    expect(rest).not.toContain('-');
    expect(restoreStandardStreams([rest])).toEqual([['build', '-', '-o', '-']]);
  });
});
