// Every load and store of WebAssembly at every boundary of several memories: takes nothing, gives a module and the calls to
// make with what must come of each. The expectation is computed here from the specification, in exact integers.

interface Access {
  readonly name: string;
  readonly bytes: number;
  readonly type: string;
  readonly isStore: boolean;
}

const load = (name: string, bytes: number): Access => ({ name, bytes, type: name.slice(0, 3), isStore: false });
const store = (name: string, bytes: number): Access => ({ name, bytes, type: name.slice(0, 3), isStore: true });

export const ACCESSES: readonly Access[] = [
  ...['i32.load8_s', 'i32.load8_u', 'i64.load8_s', 'i64.load8_u'].map((n) => load(n, 1)),
  ...['i32.load16_s', 'i32.load16_u', 'i64.load16_s', 'i64.load16_u'].map((n) => load(n, 2)),
  ...['i32.load', 'f32.load', 'i64.load32_s', 'i64.load32_u'].map((n) => load(n, 4)),
  ...['i64.load', 'f64.load'].map((n) => load(n, 8)),
  ...['i32.store8', 'i64.store8'].map((n) => store(n, 1)),
  ...['i32.store16', 'i64.store16'].map((n) => store(n, 2)),
  ...['i32.store', 'f32.store', 'i64.store32'].map((n) => store(n, 4)),
  ...['i64.store', 'f64.store'].map((n) => store(n, 8)),
];

interface MemoryCase {
  readonly name: string;
  readonly text: string;
  /** Bytes at first, and after `grow` was called. */
  readonly bytes: number;
  readonly grown: number;
  readonly page: number;
}

export const MEMORIES: readonly MemoryCase[] = [
  { name: 'fixed', text: '1 1', bytes: 65536, grown: 65536, page: 65536 },
  { name: 'growing', text: '1 3', bytes: 65536, grown: 131072, page: 65536 },
  { name: 'empty', text: '0 1', bytes: 0, grown: 65536, page: 65536 },
  { name: 'bytewise', text: '100 1000 (pagesize 1)', bytes: 100, grown: 101, page: 1 },
];

const OFFSETS: readonly number[] = [0, 1, 3, 255, 65528, 65535, 65536, 131071, 0x7fffffff, 0xfffffff8, 0xffffffff];

export interface BoundaryCall {
  readonly name: string;
  readonly args: readonly (number | bigint)[];
  readonly trap: boolean;
}

export interface BoundarySuite {
  readonly text: string;
  /** In order; a call named `grow_*` changes a memory's size. */
  readonly calls: readonly BoundaryCall[];
}

/** All accesses with some of the offsets, on all memories; `part` of `parts` shares the offsets out. */
export function boundarySuite(part: number, parts: number): BoundarySuite {
  const functions: string[] = [];
  const calls: BoundaryCall[] = [];
  const grown: BoundaryCall[] = [];
  for (const [m, memory] of MEMORIES.entries()) {
    functions.push(`(func (export "grow_${m}") (result i32) (memory.grow ${m} (i32.const 1)))`);
    for (const [k, access] of ACCESSES.entries()) {
      for (const [o, offset] of OFFSETS.entries()) {
        if ((o + k) % parts !== part) continue;
        const name = `f${m}_${k}_${o}`;
        functions.push(functionText(name, access, m, offset));
        for (const address of addresses(memory.bytes, access.bytes, offset))
          calls.push(callOf(name, access, address, offset, memory.bytes));
        for (const address of addresses(memory.grown, access.bytes, offset))
          grown.push(callOf(name, access, address, offset, memory.grown));
      }
    }
  }
  const memories = MEMORIES.map(({ name, text }) => `(memory $${name} ${text})`).join('\n');
  const grows = MEMORIES.map((_, m): BoundaryCall => ({ name: `grow_${m}`, args: [], trap: false }));
  return { text: `(module ${memories}\n${functions.join('\n')})`, calls: [...calls, ...grows, ...grown] };
}

function functionText(name: string, { name: op, type, isStore }: Access, memory: number, offset: number): string {
  const place = `${memory} offset=${offset}`;
  return isStore
    ? `(func (export "${name}") (param i32 ${type}) (${op} ${place} (local.get 0) (local.get 1)))`
    : `(func (export "${name}") (param i32) (result ${type}) (${op} ${place} (local.get 0)))`;
}

/** Addresses around the ends of the memory and of the number range, with and without the offset. */
function addresses(size: number, bytes: number, offset: number): number[] {
  const ends = [0, size - bytes, size - offset - bytes, size, 2 ** 31, 2 ** 32 - bytes, 2 ** 32 - offset];
  const near = ends.flatMap((end) => [end - 1, end, end + 1]);
  return [...new Set(near.filter((a) => a >= 0 && a < 2 ** 32))];
}

function callOf(
  name: string,
  { bytes, type, isStore }: Access,
  address: number,
  offset: number,
  size: number,
): BoundaryCall {
  const value = type === 'i32' || type === 'f32' ? 0x5a5a5a5a : 0x5a5a5a5a5a5a5a5an;
  return { name, args: isStore ? [address, value] : [address], trap: address + offset + bytes > size };
}
