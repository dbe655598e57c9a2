// Numbers of the ELF32 format that reading and writing share, with the names of the System V ABI and of BFD's
// elf/xtensa.h. Pure data.

export const EM_XTENSA = 94;
export const ET = { REL: 1, EXEC: 2 } as const;
export const SHT = { PROGBITS: 1, SYMTAB: 2, STRTAB: 3, RELA: 4, NOBITS: 8, REL: 9 } as const;
export const SHF = { WRITE: 1, ALLOC: 2, EXECINSTR: 4, INFO_LINK: 0x40 } as const;
export const SHN = { UNDEF: 0, LORESERVE: 0xff00, ABS: 0xfff1, COMMON: 0xfff2 } as const;
export const STB = { LOCAL: 0, GLOBAL: 1, WEAK: 2 } as const;
export const STT = { NOTYPE: 0, OBJECT: 1, FUNC: 2, SECTION: 3, FILE: 4 } as const;
export const PT_LOAD = 1;
export const PF = { X: 1, W: 2, R: 4 } as const;

export const EHDR_BYTES = 52;
export const PHDR_BYTES = 32;
export const SHDR_BYTES = 40;
export const SYM_BYTES = 16;
export const RELA_BYTES = 12;

/** Relocations that occur in objects of gcc, GNU as and ours. The others are refused. */
export const R_XTENSA = {
  NONE: 0,
  /** Word = S + A + what is there. */
  ABS32: 1,
  /** Hints for a relaxing linker (l32r + callx0 pairs); the code is right without doing anything. */
  ASM_EXPAND: 11,
  ASM_SIMPLIFY: 12,
  /** Word = S + A - P + what is there. */
  PCREL32: 14,
  /** Differences that the assembler has already computed; they matter only to a linker that moves code. */
  DIFF8: 17,
  DIFF16: 18,
  DIFF32: 19,
  /** The PC-relative operand of the instruction in slot 0. */
  SLOT0_OP: 20,
  PDIFF8: 57,
  PDIFF16: 58,
  PDIFF32: 59,
  NDIFF8: 60,
  NDIFF16: 61,
  NDIFF32: 62,
} as const;
