// The outside assemblers and disassemblers that prove the instruction table, run in a temporary directory. Takes text
// or bytes, gives bytes or listings. Knows nothing of our table.
//
// Environment: LLVM_MC, LLVM_OBJDUMP, LLVM_OBJCOPY, XTENSA_AS, XTENSA_OBJDUMP name other binaries than llvm-mc-22,
// llvm-objdump-22, llvm-objcopy-22, xtensa-lx106-elf-as and xtensa-lx106-elf-objdump.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LLVM_MC = process.env['LLVM_MC'] ?? 'llvm-mc-22';
const LLVM_OBJDUMP = process.env['LLVM_OBJDUMP'] ?? 'llvm-objdump-22';
const LLVM_OBJCOPY = process.env['LLVM_OBJCOPY'] ?? 'llvm-objcopy-22';
export const XTENSA_AS = process.env['XTENSA_AS'] ?? 'xtensa-lx106-elf-as';
const XTENSA_OBJDUMP = process.env['XTENSA_OBJDUMP'] ?? 'xtensa-lx106-elf-objdump';

export class Tools {
  private readonly directory = mkdtempSync(join(tmpdir(), 'isa-oracle-'));

  /** Assembles with llvm-mc, gives .text. */
  llvmAssemble(text: string): Uint8Array {
    const source = join(this.directory, 'mc.s');
    const object = join(this.directory, 'mc.o');
    const output = join(this.directory, 'mc.bin');
    writeFileSync(source, `.text\n${text}\n`);
    execFileSync(LLVM_MC, ['-triple=xtensa', '-mcpu=esp32', '-filetype=obj', source, '-o', object]);
    return textSection(object, output);
  }

  /** Assembles with a GNU as, gives .text. */
  gnuAssemble(assembler: string, text: string): Uint8Array {
    const source = join(this.directory, 'as.s');
    const object = join(this.directory, 'as.o');
    const output = join(this.directory, 'as.bin');
    writeFileSync(source, `.text\n.begin no-transform\n${text}\n.end no-transform\n`);
    execFileSync(assembler, ['-W', source, '-o', object]);
    return textSection(object, output);
  }

  /** Lists bytes with GNU objdump configured for lx106: address -> normalised text. */
  gnuDisassemble(bytes: Uint8Array, base: number): Map<number, string> {
    const data = join(this.directory, 'gnu.bin');
    writeFileSync(data, bytes);
    const flags = ['-D', '-z', '-b', 'binary', '-m', 'xtensa', '--no-show-raw-insn', `--adjust-vma=${base}`];
    const listing = execFileSync(XTENSA_OBJDUMP, [...flags, data], { encoding: 'latin1', maxBuffer: 2 ** 30 });
    // It writes negative immediates as 32-bit hexadecimal numbers.
    return listingOf(
      listing.replace(/0x([89a-f][0-9a-f]{7})$/gm, (_, digits: string) => String(parseInt(digits, 16) | 0)),
    );
  }

  /** Lists bytes with llvm-objdump: address -> normalised text, `<unknown>` where it knows none. */
  llvmDisassemble(bytes: Uint8Array, base: number): Map<number, string> {
    const data = join(this.directory, 'od.bin');
    writeFileSync(data, bytes);
    return this.llvmDisassembleText(`.incbin "${data}"`, base);
  }

  /** The same for what llvm-mc makes of assembly text. */
  llvmDisassembleText(text: string, base: number): Map<number, string> {
    const source = join(this.directory, 'od.s');
    const object = join(this.directory, 'od.o');
    writeFileSync(source, `.text\n${text}\n`);
    execFileSync(LLVM_MC, ['-triple=xtensa', '-mcpu=esp32', '-filetype=obj', source, '-o', object]);
    const flags = ['-d', '-z', '--mcpu=esp32', '--no-show-raw-insn', `--adjust-vma=${base}`];
    return listingOf(execFileSync(LLVM_OBJDUMP, [...flags, object], { encoding: 'latin1', maxBuffer: 2 ** 30 }));
  }

  close(): void {
    rmSync(this.directory, { recursive: true });
  }
}

function listingOf(listing: string): Map<number, string> {
  const lines = new Map<number, string>();
  for (const line of listing.split('\n')) {
    const match = /^ *([0-9a-f]+):\s+(.*)$/.exec(line);
    if (match !== null) lines.set(parseInt(match[1] as string, 16), normalised(match[2] as string));
  }
  return lines;
}

function normalised(text: string): string {
  return text
    .replace(/<(?!unknown)[^>]*>|\(0x[0-9a-f]+\)$/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}

/** The .text section's bytes out of an ELF32 little-endian relocatable. */
function textSection(object: string, output: string): Uint8Array {
  execFileSync(LLVM_OBJCOPY, ['-O', 'binary', '--only-section=.text', object, output]);
  return readFileSync(output);
}
