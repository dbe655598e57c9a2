// The same objects linked by us and by GNU ld at the same addresses must give the same bytes.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ESP32 } from '../compiler/abi/boards.js';
import { writeElf } from './elf-output.js';
import { writeFlashImage } from './image/flash.js';
import { link } from './link.js';
import type { LinkedImage } from './linked.js';
import { readExecutable } from './read-executable.js';
import { readObject } from './read-object.js';

const GCC = 'xtensa-lx106-elf-gcc';
const LD = 'xtensa-lx106-elf-ld';
const found = [GCC, LD].every((tool) => spawnSync(tool, ['--version']).status === 0);

const MAIN = `
extern int helper(int); extern int table[]; extern const char *names[];
int counter = 5; static int scratch[10]; int *pointer = &counter + 1;
int weakly(void) __attribute__((weak)); int weakly(void) { return 1; }
extern int absent(void) __attribute__((weak));
void rt_start(void) {
  for (int i = 0; i < 10; i++) scratch[i] = helper(i) * 1234567 + counter;
  if (absent) absent();
  counter = weakly() + table[scratch[1] & 3] + names[0][0];
  for (;;) {}
}`;
const HELPER = `
int table[4] = {1, 2, 3, 4}; const char *names[] = {"alpha", "beta", "alphabet"};
int weakly(void) { return 7; }
static int leaf(int x) __attribute__((noinline)); static int leaf(int x) { return x * 3; }
int helper(int a) {
  switch (a) { case 0: return leaf(1); case 1: return leaf(7); case 2: return 3; case 3: return leaf(9);
    case 4: return leaf(11); case 5: return leaf(13); case 6: return leaf(17); }
  return table[a & 3];
}
int unused(void) { return helper(3); }`;

describe.skipIf(!found)('beside GNU ld', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'linker-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function compile(name: string, source: string, flags: readonly string[]): string {
    const file = join(folder, `${name}.o`);
    writeFileSync(join(folder, `${name}.c`), source);
    const common = ['-Os', '-ffreestanding', '-fno-common', '-ffunction-sections', '-fdata-sections', '-c'];
    execFileSync(GCC, [...common, ...flags, '-o', file, join(folder, `${name}.c`)]);
    return file;
  }

  /** Links with GNU ld, every section where our image has it. */
  function linkWithGnu(objects: readonly string[], image: LinkedImage): Uint8Array {
    const script = join(folder, 'link.ld');
    const placed = image.sections.filter((section) => section.size > 0);
    const lines = placed.map(
      ({ address, name, object }, i) => `.s${i} 0x${address.toString(16)} : { *${object}(${name}) }`,
    );
    const all = '/DISCARD/ : { *(*) }';
    writeFileSync(script, `ENTRY(rt_start)\nSECTIONS {\n${lines.join('\n')}\n${all}\n}\n`);
    const output = join(folder, 'gnu.elf');
    execFileSync(LD, ['--no-relax', '-T', script, '-o', output, ...objects], { stdio: 'pipe' });
    return readFileSync(output);
  }

  it.each([
    ['literals in .text', ['-mtext-section-literals']],
    ['literals in sections of their own', ['-mno-text-section-literals']],
    ['long calls', ['-mtext-section-literals', '-mlongcalls']],
  ])('gives the same bytes: %s', (_what, flags) => {
    const files = [compile('main', MAIN, flags), compile('helper', HELPER, flags)];
    const objects = files.map((file) => readObject(readFileSync(file), file.slice(folder.length + 1), 'runtime'));
    const image = link(objects, ESP32);
    expect(image.sections.some(({ name }) => name === '.text.unused')).toBe(false);
    const gnu = readExecutable(linkWithGnu(files, image), 'gnu.elf');
    let compared = 0;
    for (const segment of image.segments) {
      if (segment.bytes === null) continue;
      for (const section of image.sections) {
        const offset = section.address - segment.address;
        if (offset < 0 || offset >= segment.size || section.size === 0) continue;
        const ours = segment.bytes.subarray(offset, offset + section.size);
        const theirs = gnu.segments.find((s) => section.address >= s.address && section.address < s.address + s.size)!;
        const start = section.address - theirs.address;
        expect(Buffer.from(ours).toString('hex'), section.name).toBe(
          Buffer.from(theirs.bytes!.subarray(start, start + section.size)).toString('hex'),
        );
        compared += section.size;
      }
    }
    expect(compared).toBeGreaterThan(200);
    expect(gnu.entry).toBe(image.entry);
  });

  it('writes an executable that binutils understand', () => {
    const flags = ['-mtext-section-literals'];
    const files = [compile('main', MAIN, flags), compile('helper', HELPER, flags)];
    const image = link(
      files.map((file) => readObject(readFileSync(file), file, 'runtime')),
      ESP32,
    );
    const elf = join(folder, 'ours.elf');
    writeFileSync(elf, writeElf(image));
    const report = spawnSync('xtensa-lx106-elf-readelf', ['-aW', elf], { encoding: 'utf8' });
    expect(report.status).toBe(0);
    expect(report.stderr).toBe('');
    expect(report.stdout).toMatch(/Machine:\s+Tensilica Xtensa Processor/);
    expect(report.stdout).toMatch(/FUNC\s+GLOBAL\s+DEFAULT\s+\d+ rt_start/);
    const listing = execFileSync('xtensa-lx106-elf-objdump', ['-d', elf], { encoding: 'utf8' });
    expect(listing).toMatch(/call0\s+[0-9a-f]+ <helper>/);
    expect(writeFlashImage(image)[0]).toBe(0xe9);
  });
});
