// The pages of docs/ show real output: built here from the source they show, and compared.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import wabtModule from 'wabt';
import { packageRoot } from '../../linker/runtime-objects.js';
import { CliClient } from './cli-client.js';

const PAGE = readFileSync(join(packageRoot(), 'docs/one-instruction.md'), 'utf8');

/** Lines of the first code block with this language, without blanks around them. */
function block(language: string): string[] {
  const match = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(PAGE);
  return match === null ? [] : match[1]!.trimEnd().split('\n');
}

describe('docs/one-instruction.md', () => {
  let folder = '';
  let client: CliClient;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'docs-'));
    const wabt = await wabtModule();
    const parsed = wabt.parseWat('sample.wat', block('wat').join('\n'));
    writeFileSync(join(folder, 'sample.wasm'), parsed.toBinary({ write_debug_names: true }).buffer);
    client = new CliClient(folder);
  });
  afterAll(() => {
    client.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('shows the bytes of the body', () => {
    const bytes = readFileSync(join(folder, 'sample.wasm'));
    expect(bytes.toString('hex', 0x2b, 0x34)).toBe('200028020820016a0b');
    expect(PAGE).toContain('20 00     28 02 08     20 01     6a      0b');
  });

  it.each([
    ['ir', []],
    ['ir-lowered', ['--after', 'lower-memory']],
  ])('shows the %s', async (language, options) => {
    const { stdout } = await client.run('compile', 'sample.wasm', '--emit', 'ir', ...options, '-o', '-');
    expect(block(language).length).toBeGreaterThan(3);
    expect(stdout).toContain(block(language).join('\n'));
  });

  it('shows the code', async () => {
    await client.run('build', 'sample.wasm', '-q', '-o', 'sample.bin', '--elf', 'sample.elf');
    const { stdout } = await client.run('objdump', 'sample.elf');
    const lines = stdout.slice(stdout.indexOf('<sample.sample>:')).split('\n').slice(1, 9);
    const code = lines.map((line) => line.slice(11).replace(/,? 0x[0-9a-f]+$/, ''));
    expect(code).toEqual(block('listing'));
  });

  it('shows what runs', async () => {
    expect((await client.run('run', 'sample.bin', '--invoke', 'sample', '0', '5')).stdout).toBe('i32:5\n');
    const trap = await client.run('run', 'sample.wasm', '--invoke', 'sample', '65530', '5');
    expect(PAGE).toContain(trap.stderr);
    expect(trap.code).toBe(3);
  });

  it('shows the row of the instruction table', () => {
    const rows = readFileSync(join(packageRoot(), 'backend-xtensa/isa/rows/core.ts'), 'utf8');
    expect(rows).toContain(block('ts')[0]);
  });
});
