// Tests of the text form: every op survives printing and parsing, and faults in text are reported on their line.
import { describe, expect, test } from 'vitest';
import { LIBCALLS } from '../abi/libcalls.js';
import { TrapCode } from '../abi/traps.js';
import { Func, type Inst } from './function.js';
import { Op, OPS } from './ops.js';
import { ParseError, parseFunc, parseModule } from './parse.js';
import { printFunc, printModule } from './print.js';
import { Type } from './types.js';

/** A function with one instruction of op number `op`, with operands, immediates and edges of every kind it can have. */
function functionWith(op: number): Func {
  const info = OPS[op]!;
  const func = new Func(7, 'odd name "é"', { params: [Type.I32, Type.I64, Type.F32, Type.F64], results: [] });
  const block = func.addBlock();
  const params = func.signature.params.map((type) => func.addParam(block, type));
  const byType = (type: Type): Inst => params.find((p) => p.type === type)!;
  const other = func.createBlock();
  func.addParam(other, Type.I64);
  const operands =
    info.operands?.map(byType) ?? (op === Op.Select ? [params[0]!, params[2]!, params[2]!] : [params[0]!]);
  const inst = func.create(
    op,
    operands,
    info.imm[0] === 'code' ? TrapCode.IntegerOverflow : 5,
    info.imm.length > 1 ? 3 : 0,
  );
  if (info.imm.length === 0 || info.imm[0] === 'unused') inst.imm = 0;
  inst.loc = 1234;
  if (info.result === 'dynamic') inst.type = op === Op.Select ? Type.F32 : Type.I32;
  if (op === Op.LibCall) inst.aux = LIBCALLS.f32Div;
  if (op === Op.Symbol) inst.aux = 'a$b!c "d"';
  if (op === Op.Call) {
    inst.type = Type.Multi;
    inst.aux = [Type.I64, Type.F32];
  }
  func.append(block, inst);
  if (info.effect !== 'terminator') {
    func.append(block, func.create(Op.Return, []));
    return func;
  }
  const edge = (): { block: typeof other; args: Inst[] } => ({ block: other, args: [params[1]!] });
  const count = op === Op.Jump ? 1 : op === Op.BrIf ? 2 : op === Op.BrTable ? 3 : 0;
  if (count > 0) {
    inst.edges = Array.from({ length: count }, edge);
    other.cold = true;
    func.blocks.push(other);
    func.append(other, func.create(Op.Return, []));
  }
  return func;
}

describe('every op', () => {
  test.each(OPS.map((info, op) => [info.name, op] as const).filter(([, op]) => op !== Op.Param))('%s', (_, op) => {
    const func = functionWith(op);
    const text = printFunc(func, { locs: true });
    const { func: parsed } = parseFunc(text);
    expect(printFunc(parsed, { locs: true })).toBe(text);
    const [a, b] = [func.entry.insts[0]!, parsed.entry.insts[0]!];
    expect([b.op, b.type, b.imm, b.imm2, b.aux, b.loc]).toEqual([a.op, a.type, a.imm, a.imm2, a.aux, a.loc]);
  });
});

test('constants keep every bit', () => {
  const text = `func 0 @f() -> () {
block0:
  v0 = i32.const -2147483648
  v1 = i64.const -9223372036854775808
  v2 = i64.const 4294967295
  v3 = f32.const 0xffa00001
  v4 = f64.const 0x7ff4000000000001
  return
}
`;
  expect(printFunc(parseFunc(text).func)).toBe(text);
});

test('a module with everything declared', () => {
  const text = `module "m\\u{e9}"
type 0 (i32, f64) -> (i64)
decl 0 @"a b" type=0 import "env" "x\\"y" taken
decl 1 @f type=0 taken exported body=77
memory 0 1..4 shift=16 growable exported
memory 1 100.. shift=0 import "env" "memory" growable
table 0 funcref 1..2 mutable growable exported
table 1 externref 0..
global 0 i64 mutable init=0x00000001fffffffe exported
global 1 funcref
data 0 passive memory=0 "00ff10"
data 1 active memory=1 ""
elem 0 declared externref table=1 [1, null, 0]
export "run" func 1
export "" memory 0
init 2

func 1 @f(i32, f64) -> (i64) {
block0(v0: i32, v1: f64):
  v2: i64 = call v0, v1, func=0
  return v2
}

func 2 @init() -> () {
block0:
  return
}
`;
  expect(printModule(parseModule(text).module)).toBe(text);
});

describe('faults in text', () => {
  const inside = (line: string): string => `func 0 @f(i32) -> () {\nblock0(v0: i32):\n  ${line}\n  return\n}\n`;
  test.each([
    ['v1 = i32.bogus v0', 'unknown op'],
    ['v1 = i32.add v0, v9', 'unknown value "v9"'],
    ['v0 = i32.eqz v0', 'defined twice'],
    ['i32.eqz v0', 'result and type'],
    ['v1: i64 = i32.eqz v0', 'fixed type'],
    ['v1 = i32.load v0, width=4', 'no immediate "width"'],
    ['v1: i32 = libcall "rt_nothing", v0', 'unknown libcall'],
    ['jump block7', 'unknown block'],
    ['v1 = i32.add v0 v0', 'expected ","'],
    ['v1 = i32.const %', 'unexpected'],
  ])('%s', (line, message) => {
    let caught: unknown;
    try {
      parseFunc(inside(line));
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(ParseError);
    expect((caught as ParseError).message).toContain(message);
    expect((caught as ParseError).line).toBe(3);
  });
});
