// Runs command lines of the CLI one after the other in one process: takes them over the IPC channel, answers with the
// exit code after the last byte of output. Saves every test the start of a process; the code that runs is the real one.
import { writeSync } from 'node:fs';
import { main } from '../../cli/main.js';
import { main as thingspire } from '../../cli/thingspire/main.js';

export interface Request {
  readonly program: 'wasm-aot' | 'thingspire';
  readonly argv: readonly string[];
  /** Written to both streams when the command is done. */
  readonly marker: string;
}

process.on('message', (request: Request) => {
  const run = request.program === 'wasm-aot' ? main : thingspire;
  void run(request.argv).then((code) => {
    for (const fd of [1, 2]) writeSync(fd, request.marker);
    process.send!(code);
  });
});
