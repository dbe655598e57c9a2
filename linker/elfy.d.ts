// Types for the part of elfy 1.0.0 that read-object.ts uses; the package ships none.
declare module 'elfy' {
  export interface ElfySection {
    name: string;
    /** Name of a type elfy knows (`progbits`, `nobits`, ...), else its number. */
    type: string | number;
    flags: Record<string, boolean>;
    addr: number;
    off: number;
    size: number;
    link: number;
    info: number;
    addralign: number;
    entsize: number;
    data: Buffer;
  }
  export interface ElfyFile {
    class: string;
    endian: string;
    type: string;
    machine: string;
    shnum: number;
    body: { programs: unknown[]; sections: ElfySection[] };
  }
  const elfy: { parse(bytes: Buffer): ElfyFile };
  export default elfy;
}
