// `wasm-aot keygen`: an Ed25519 key pair for packages, as PEM files.
import { existsSync } from 'node:fs';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { generateKeys } from '../../manifest/keys.js';
import { ExitCode } from '../exit-codes.js';
import { note, Outputs, printJson } from '../io.js';
import { jsonOption } from '../options.js';
import type { Command } from './command.js';

interface Args {
  readonly output: string;
  readonly force: boolean;
  readonly json: boolean;
}

/** Only the owner reads a private key. */
const PRIVATE_MODE = 0o600;

export const keygenCommand: Command<Args> = {
  name: 'keygen',
  positionals: '[output]',
  describe: 'make a key pair for signing packages',
  examples: [['$0 keygen key', 'key.pem signs packages; key.pub.pem goes into things.json as "publicKey"']],
  options: (yargs) =>
    jsonOption(yargs)
      .positional('output', { describe: 'name of both files', type: 'string', default: 'key' })
      .option('force', { describe: 'replace a pair that is there', type: 'boolean', default: false }) as never,
  run: ({ output, force, json }) => {
    const stem = output.replace(/\.pem$/, '');
    const privateKey = `${stem}.pem`;
    const publicKey = `${stem}.pub.pem`;
    for (const path of [privateKey, publicKey])
      if (!force && existsSync(path))
        throw new DiagnosticError('W602', 'is there already: --force replaces the pair', { file: path });
    const { privatePem, publicPem } = generateKeys();
    const outputs = new Outputs();
    outputs.add(privateKey, privatePem, PRIVATE_MODE);
    outputs.add(publicKey, publicPem);
    outputs.commit();
    if (json) printJson({ privateKey, publicKey });
    else note(`${privateKey} (keep it secret), ${publicKey}\n`);
    return ExitCode.Ok;
  },
};
