// Takes a real module and a seed; gives a mutant that still validates and always ends: operators, constants, local indices
// and runs of instructions changed, imported functions replaced by stubs, fuel checks at loops and function entries, all
// functions exported under the names that the engines expect. Knows no engine.
/// <reference lib="dom" />
import { Bytes, assembleModule } from './encoder.js';
import { F32, F64, I32, I64, type FuncType, type GeneratedModule, type NumType } from './generate.js';
import { Cursor, splitModule, type Body, type Instruction } from './instructions.js';
import { Random } from './random.js';

/** Operators that may stand for each other: same operands, same result. */
const FAMILIES: readonly (readonly number[])[] = [
  [0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f],
  [0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a],
  [0x5b, 0x5c, 0x5d, 0x5e, 0x5f, 0x60],
  [0x61, 0x62, 0x63, 0x64, 0x65, 0x66],
  [0x67, 0x68, 0x69, 0x45, 0xc0, 0xc1],
  [0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78],
  [0x79, 0x7a, 0x7b, 0xc2, 0xc3, 0xc4],
  [0x7c, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a],
  [0x28, 0x2c, 0x2d, 0x2e, 0x2f],
  [0x29, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35],
  [0x36, 0x3a, 0x3b],
  [0x37, 0x3c, 0x3d, 0x3e],
  [0xac, 0xad],
];
const FAMILY_OF = new Map(FAMILIES.flatMap((family) => family.map((op) => [op, family] as const)));
/** Float operators: their NaNs make memories incomparable. */
const isFloatOp = (op: number): boolean =>
  (op >= 0x5b && op <= 0x66) || (op >= 0x8b && op <= 0xa6) || op === 0x2a || op === 0x2b;
const FUEL = 3000;

interface Declarations {
  readonly types: FuncType[];
  /** Type index of each function, imports first. */
  readonly functions: number[];
  readonly importedFunctions: number;
  readonly globals: { readonly type: number; readonly mutable: boolean }[];
  readonly memories: number;
}

function typesOf(content: Uint8Array): FuncType[] {
  const c = new Cursor(content);
  return Array.from({ length: c.leb() }, () => {
    c.byte();
    const list = (): NumType[] => Array.from({ length: c.leb() }, () => c.byte() as NumType);
    return { params: list(), results: list() };
  });
}

function skipConst(c: Cursor): void {
  for (let op = c.byte(); op !== 0x0b; op = c.byte()) {
    if (op === 0x43) c.at += 4;
    else if (op === 0x44) c.at += 8;
    else c.leb();
  }
}

/** Undefined for modules that import anything but functions. */
function declarations(
  parts: readonly { readonly id: number; readonly content: Uint8Array }[],
): Declarations | undefined {
  const content = (id: number): Cursor => new Cursor(parts.find((p) => p.id === id)?.content ?? Uint8Array.of(0));
  const types = typesOf(content(1).bytes);
  const imports = content(2);
  const functions: number[] = [];
  const count = imports.leb();
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < 2; k++) {
      const length = imports.leb();
      imports.at += length;
    }
    if (imports.byte() !== 0) return undefined;
    functions.push(imports.leb());
  }
  const own = content(3);
  for (let n = own.leb(); n > 0; n--) functions.push(own.leb());
  const globalSection = content(6);
  const globals = Array.from({ length: globalSection.leb() }, () => {
    const type = globalSection.byte();
    const mutable = globalSection.byte() === 1;
    skipConst(globalSection);
    return { type, mutable };
  });
  return { types, functions, importedFunctions: count, globals, memories: content(5).leb() };
}

const isNumeric = (type: number): type is NumType => type === I32 || type === I64 || type === F32 || type === F64;

function zero(type: NumType): readonly number[] {
  if (type === I32) return [0x41, 0];
  if (type === I64) return [0x42, 0];
  return type === F32 ? [0x43, 0, 0, 0, 0] : [0x44, 0, 0, 0, 0, 0, 0, 0, 0];
}

function mutateOne(code: Instruction[], random: Random): void {
  const at = random.below(code.length - 1);
  const instruction = code[at]!;
  const op = instruction[0]!;
  const family = FAMILY_OF.get(op);
  if (op === 0x41) code[at] = Uint8Array.from(new Bytes().u8(0x41).s32(random.interestingI32()).data);
  else if (op === 0x42) code[at] = Uint8Array.from(new Bytes().u8(0x42).s64(random.interestingI64()).data);
  else if (family !== undefined) {
    const next = instruction.slice();
    next[0] = random.pick(family);
    // A narrower access may not keep a larger alignment.
    if (op >= 0x28 && op <= 0x3e) next[1] = 0;
    code[at] = next;
  } else if (op === 0x20 || op === 0x22) code[at] = Uint8Array.of(op, random.below(6));
  else if (random.chance(0.5)) {
    if (random.chance(0.5)) code.splice(at, random.between(1, 4));
    else code.splice(at, 0, ...code.slice(at, at + random.between(1, 6)));
  }
}

/** Fuel check: traps when there is none left. */
function fuelCheck(global: number): Instruction[] {
  const g = new Bytes().u32(global).data;
  return [
    Uint8Array.of(0x23, ...g),
    Uint8Array.of(0x45),
    Uint8Array.of(0x04, 0x40),
    Uint8Array.of(0x00),
    Uint8Array.of(0x0b),
    Uint8Array.of(0x23, ...g),
    Uint8Array.of(0x41, 1),
    Uint8Array.of(0x6b),
    Uint8Array.of(0x24, ...g),
  ];
}

function withFuel(code: readonly Instruction[], global: number): Instruction[] {
  const check = fuelCheck(global);
  // How far a memory can grow is the engine's affair: here it cannot.
  const noGrowth = [Uint8Array.of(0x1a), Uint8Array.of(0x41, 0x7f)];
  return [...check, ...code.flatMap((i) => (i[0] === 0x03 ? [i, ...check] : i[0] === 0x40 ? noGrowth : [i]))];
}

/** A mutant of `bytes`, or undefined when none of a few tries validates or the module cannot be driven. */
export function mutateModule(bytes: Uint8Array, seed: number): GeneratedModule | undefined {
  const random = new Random(seed);
  const { parts, bodies } = splitModule(bytes);
  const declared = declarations(parts);
  if (declared === undefined) return undefined;
  const { types, functions, globals } = declared;
  const fuel = globals.length;
  const callable = functions.flatMap((t, i) =>
    [...types[t]!.params, ...types[t]!.results].every(isNumeric) ? [i] : [],
  );
  const chosen = Array.from({ length: 8 }, () => random.pick(callable)).filter((f, i, all) => all.indexOf(f) === i);
  const stubs = functions.slice(0, declared.importedFunctions).map((t): Body => {
    const results = types[t]!.results.map((r) => Uint8Array.from(zero(r)));
    return { locals: Uint8Array.of(0), code: [...results, Uint8Array.of(0x0b)] };
  });
  for (let attempt = 0; attempt < 30; attempt++) {
    const mutated = bodies.map((b) => ({ locals: b.locals, code: [...b.code] }));
    for (let n = random.between(1, 4); n > 0; n--) {
      const body = random.pick(mutated);
      if (body.code.length > 2) mutateOne(body.code, random);
    }
    const all = [...stubs, ...mutated.map((b) => ({ locals: b.locals, code: withFuel(b.code, fuel) }))];
    const module = rebuild(parts, declared, all, chosen);
    if (!WebAssembly.validate(module as BufferSource)) continue;
    const floats = mutated.some((b) => b.code.some((i) => isFloatOp(i[0]!)));
    return {
      seed,
      bytes: module,
      functions: chosen.map((f) => types[functions[f]!]!),
      globals: [],
      memories: floats ? 0 : declared.memories,
      instructions: mutated.reduce((n, b) => n + b.code.length, 0),
    };
  }
  return undefined;
}

/** All sections again: imports turned into functions, exports and fuel ours, start function and names left out. */
function rebuild(
  parts: readonly { readonly id: number; readonly content: Uint8Array }[],
  declared: Declarations,
  bodies: readonly Body[],
  chosen: readonly number[],
): Uint8Array {
  const exports = [
    ...chosen.map((f, i) => new Bytes().name(`f${i}`).u8(0).u32(f)),
    ...Array.from({ length: declared.memories }, (_, i) => new Bytes().name(`m${i}`).u8(2).u32(i)),
  ];
  const replaced = new Map<number, Bytes>([
    [3, new Bytes().vector(declared.functions.map((t) => new Bytes().u32(t)))],
    [7, new Bytes().vector(exports)],
    [10, new Bytes().vector(bodies.map((b) => new Bytes().sized(bodyBytes(b))))],
  ]);
  const globals = parts.find((p) => p.id === 6)?.content ?? Uint8Array.of(0);
  const c = new Cursor(globals);
  const count = c.leb();
  const fuel = new Bytes().u8(I32, 1, 0x41).s32(FUEL).u8(0x0b);
  replaced.set(
    6,
    new Bytes()
      .u32(count + 1)
      .u8(...globals.subarray(c.at))
      .append(fuel),
  );
  // Section order; 12 (data count) stands before the code section. Start functions would run before anything is observed.
  const order = [1, 3, 4, 5, 6, 7, 9, 12, 10, 11];
  return assembleModule(
    order.flatMap((id) => {
      const content = parts.find((p) => p.id === id)?.content;
      const bytes = replaced.get(id) ?? (content === undefined ? undefined : new Bytes().u8(...content));
      return bytes === undefined ? [] : [[id, bytes] as const];
    }),
  );
}

function bodyBytes(body: Body): Bytes {
  const out = new Bytes().u8(...body.locals);
  for (const instruction of body.code) out.u8(...instruction);
  return out;
}
