// Tokens, TLS and enrolment as users meet them: the command line against an edge in a process of its own.
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Security } from '../../edge/security/security.js';
import { CliClient, type Result } from '../system/cli-client.js';

const SCRIPT = fileURLToPath(new URL('../system/thingspire.ts', import.meta.url));
const TSX = import.meta.resolve('tsx');
const LONG = { timeout: 300_000 };

let folder: string;
let cli: CliClient;
let edge: ChildProcess | null = null;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'security-cli-'));
  cli = new CliClient(folder, 'thingspire');
});
afterEach(async () => {
  const running = edge;
  edge = null;
  if (running === null || running.exitCode !== null) return;
  const ended = new Promise((resolve) => running.once('exit', resolve));
  running.kill('SIGTERM');
  await ended;
});
afterAll(async () => {
  await cli.close();
  rmSync(folder, { recursive: true, force: true });
});

const run = (...argv: readonly string[]): Promise<Result> => cli.run(...argv);
const fails = async (code: string, ...argv: readonly string[]): Promise<void> => {
  const result = await run(...argv);
  expect([result.code, result.stderr]).toEqual([1, expect.stringContaining(`error ${code}`)]);
};
const mode = (name: string): number => statSync(join(folder, name)).mode & 0o777;

/** Starts an edge; gives what it printed until it was ready, or until it ended. */
async function start(...argv: readonly string[]): Promise<string> {
  let text = '';
  const child = spawn(process.execPath, ['--import', TSX, SCRIPT, 'edge', '--coap', 'off', '--http', '0', ...argv], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  edge = child;
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (text += data.toString()));
  const ready = (): void => expect(text + String(child.exitCode)).toMatch(/certificate SHA-256 .*\n|http:.*\n|1$/s);
  await vi.waitFor(ready, { timeout: 60_000, interval: 20 });
  return text;
}

describe('tokens', LONG, () => {
  it('are made, used over TLS with the fingerprint, and revoked', async () => {
    await fails('W910', 'edge', '--listen', '0.0.0.0', '--data', 'a', '--http', '0', '--coap', 'off');
    const { stdout } = await run('token', 'add', 'anna', '--role', 'admin', '--data', 'a');
    const token = stdout.trim();
    expect(token).toMatch(/^ths_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/);
    await fails('W911', 'token', 'add', 'anna', '--data', 'a');
    await fails('W910', 'edge', '--listen', '0.0.0.0', '--data', 'a', '--http', '0', '--coap', 'off');
    await fails('W910', 'edge', '--coap-listen', '0.0.0.0', '--data', 'a', '--http', 'off');
    const text = await start('--data', 'a', '--tls');
    const [url, fingerprint] = [/https:\S+/.exec(text)![0], /SHA-256 (\S+)/.exec(text)![1]!];
    const at = ['--url', url, '--fingerprint', fingerprint];
    expect((await run('ls', ...at, '--token', token, '--json')).code).toBe(0);
    await fails('W911', 'ls', ...at);
    await fails('W911', 'ls', ...at, '--token', `${token}x`);
    await fails('W902', 'ls', '--url', url, '--token', token);
    const other = fingerprint.replace(/^../, fingerprint.startsWith('AA') ? 'BB' : 'AA');
    const wrong = await run('ls', '--url', url, '--fingerprint', other, '--token', token);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('not the edge with that fingerprint')]);
    const [certificate] = /-----BEGIN CERT[^]*END CERTIFICATE-----/.exec(
      readFileSync(join(folder, 'a/security/tls.pem'), 'utf8'),
    )!;
    writeFileSync(join(folder, 'ca.pem'), certificate);
    expect((await run('ls', '--url', url, '--ca', 'ca.pem', '--token', token, '--json')).code).toBe(0);

    const viewer = await run('token', 'add', 'eve', '--expires', '1d', ...at, '--token', token, '--json');
    const { token: eve } = JSON.parse(viewer.stdout) as { token: string };
    const list = JSON.parse((await run('token', 'ls', ...at, '--token', token, '--json')).stdout) as { name: string }[];
    expect(list.map(({ name }) => name)).toEqual(['anna', 'eve']);
    expect((await run('ls', ...at, '--token', eve)).code).toBe(0);
    await fails('W911', 'token', 'ls', ...at, '--token', eve);
    await fails('W911', 'token', 'revoke', 'anna', ...at, '--token', eve);
    expect((await run('token', 'revoke', 'eve', ...at, '--token', token)).code).toBe(0);
    await fails('W911', 'token', 'revoke', 'eve', ...at, '--token', token);
    await fails('W911', 'ls', ...at, '--token', eve);
    // The file that the command line changes is noticed by the running edge.
    expect((await run('token', 'revoke', 'anna', '--data', 'a')).code).toBe(0);
    await fails('W911', 'ls', ...at, '--token', token);
  });

  it('in a file that others can read are not believed', async () => {
    await run('token', 'add', 'anna', '--role', 'admin', '--data', 'b');
    expect([mode('b/security/tokens.json'), mode('b/security')]).toEqual([0o600, 0o700]);
    chmodSync(join(folder, 'b/security/tokens.json'), 0o644);
    await fails('W913', 'token', 'ls', '--data', 'b');
    expect(await start('--data', 'b')).toContain('error W913');
  });
});

describe('enrolment', LONG, () => {
  it('in one step or three, and what does not belong together is refused', async () => {
    await fails('W912', 'enrol', 'edge', 'attic', '--data', 'attic');
    const root = await run('fleet', 'init');
    expect([root.code, root.stdout.trim().length, mode('fleet-root.pem')]).toEqual([0, 43, 0o600]);
    await fails('W912', 'fleet', 'init');
    expect((await run('enrol', 'edge', 'attic', '--data', 'attic')).stdout).toContain('attic is enrolled until');
    const key = (await run('enrol', 'key', '--data', 'cellar')).stdout.trim();
    expect((await run('enrol', 'key', '--data', 'cellar')).stdout.trim()).toBe(key);
    expect((await run('enrol', 'edge', 'cellar', '--key', key, '-o', 'cellar.json')).code).toBe(0);
    expect((await run('enrol', 'install', 'cellar.json', '--data', 'cellar')).stdout).toContain('cellar is enrolled');
    await fails('W912', 'enrol', 'install', 'cellar.json', '--data', 'attic');
    await fails('W912', 'enrol', 'edge', 'No Name', '--key', key);
    await fails('W912', 'enrol', 'edge', 'x', '--key', 'short');
    // Another fleet.
    await run('fleet', 'init', '--root', 'other.pem');
    await fails('W912', 'enrol', 'edge', 'attic', '--data', 'attic', '--root', 'other.pem');
    expect((await run('enrol', 'edge', 'attic', '--data', 'attic', '--root', 'other.pem', '--force')).code).toBe(0);
    // A changed certificate, and an edge that has another name than it was enrolled by.
    const text = readFileSync(join(folder, 'cellar.json'), 'utf8');
    const at = text.length - 40;
    writeFileSync(join(folder, 'bad.json'), text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1));
    await fails('W813', 'enrol', 'install', 'bad.json', '--data', 'cellar');
    expect(await start('--name', 'porch', '--data', 'cellar')).toContain('error W912');
    expect(await start('--name', 'cellar', '--data', 'cellar')).toContain('http://');
  });

  it('is taken back by a list that only the root can make, and that does not become shorter', async () => {
    await run('fleet', 'init', '--root', 'r.pem');
    await run('fleet', 'init', '--root', 'stranger.pem');
    const by = ['--root', 'r.pem'];
    for (const name of ['one', 'two']) await run('enrol', 'edge', name, '--data', name, ...by);
    const envelopes = async (name: string) =>
      (await Security.open({ name, dataDirectory: join(folder, name) })).envelopes;
    const [one, two] = [await envelopes('one'), await envelopes('two')];
    const ask = () =>
      two.open(one.seal({ kind: 'request', to: 'two', caller: '', body: Buffer.of(1) }).bytes, { kind: 'request' });
    expect(ask().from).toBe('one');
    expect((await run('enrol', 'revoke', 'three', '-o', 'short.json', ...by)).code).toBe(0);
    writeFileSync(join(folder, 'long.json'), readFileSync(join(folder, 'short.json')));
    expect((await run('enrol', 'revoke', 'one', '-o', 'long.json', ...by)).code).toBe(0);
    expect((await run('enrol', 'install', 'long.json', '--data', 'two')).stdout).toBe('revoked: one, three\n');
    // The running edge sees the file.
    await vi.waitFor(() => expect(ask).toThrow('one: revoked'), { timeout: 20_000 });
    await fails('W912', 'enrol', 'install', 'short.json', '--data', 'two');
    await run('enrol', 'revoke', 'two', '-o', 'foreign.json', '--root', 'stranger.pem');
    await fails('W912', 'enrol', 'install', 'foreign.json', '--data', 'two');
    const text = readFileSync(join(folder, 'long.json'), 'utf8');
    writeFileSync(join(folder, 'bad.json'), text.slice(0, -30) + (text.at(-30) === 'A' ? 'B' : 'A') + text.slice(-29));
    await fails('W813', 'enrol', 'install', 'bad.json', '--data', 'two');
    // Enrolled again after that, it is a member again.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await run('enrol', 'edge', 'one', '--data', 'one', ...by);
    const again = await envelopes('one');
    const { bytes } = again.seal({ kind: 'request', to: 'two', caller: '', body: Buffer.of(1) });
    expect(two.open(bytes, { kind: 'request' }).from).toBe('one');
  });

  it('is needed for NATS elsewhere', async () => {
    const text = await start('--data', 'new', '--nats', 'nats://192.0.2.1:4222');
    expect(text).toContain('error W910');
  });
});
