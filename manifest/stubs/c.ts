// Takes a stub plan, gives a C header on top of thingspire.h: structs, numbers of requirements, calls with structs,
// prototypes of handlers. Knows C syntax only.
import type { ScalarName } from '../file.js';
import type { FieldModel } from '../model.js';
import { avoiding, rangeText, upperSnake } from './plan.js';
import type { StubCall, StubHandler, StubPayload, StubPlan, StubRecord } from './plan.js';

const C_TYPES: Readonly<Record<ScalarName, string>> = {
  u8: 'uint8_t',
  i8: 'int8_t',
  u16: 'uint16_t',
  i16: 'int16_t',
  u32: 'uint32_t',
  i32: 'int32_t',
  f32: 'float',
  u64: 'uint64_t',
  i64: 'int64_t',
  f64: 'double',
  bool: 'bool',
};

/** Keywords of C17, C23 and C++ that could be names of fields. */
const TAKEN: ReadonlySet<string> = new Set(
  (
    'alignas alignof auto bool break case char class const constexpr continue default delete do double else enum ' +
    'explicit export extern false float for friend goto if inline int long namespace new nullptr operator private ' +
    'protected public register restrict return short signed sizeof static struct switch template this throw true try ' +
    'typedef typename typeof union unsigned using virtual void volatile while'
  ).split(' '),
);

export function cStubs({ app, module, records, calls, handlers }: StubPlan): string {
  const guard = `THINGS_${upperSnake(module)}_H`;
  const parts = [
    `/* What module "${module}" of ${app} provides and requires. Made by \`wasm-aot stubs\`: do not edit. */`,
    `#ifndef ${guard}\n#define ${guard}\n\n#include "thingspire.h"`,
    ...records.map(struct),
    ...(calls.length === 0 ? [] : [`/** Entries of "requires", for ts_call and ts_grant. */\n${numbers(calls)}`]),
    ...calls.map(call),
    ...handlers.map(prototype),
    '#endif',
  ];
  return `${parts.join('\n\n')}\n`;
}

function struct({ name, record }: StubRecord): string {
  const lines = record.fields.map(
    (field) => `  ${C_TYPES[field.scalar]} ${avoiding(TAKEN, field.name)}${arrayPart(field)};${comment(field)}`,
  );
  const guard = `THINGS_STRUCT_${name}`;
  const definition = `struct ${name} {\n${lines.join('\n')}\n};\n_Static_assert(sizeof(struct ${name}) == ${record.bytes}, "${name}");`;
  // Another module's stubs may have it as well.
  return `#ifndef ${guard}\n#define ${guard}\n${definition}\n#endif`;
}

const arrayPart = ({ count }: FieldModel): string => (count === null ? '' : `[${count}]`);

function comment(field: FieldModel): string {
  const range = rangeText(field);
  return range === '' ? '' : ` /* ${range} */`;
}

function numbers(calls: readonly StubCall[]): string {
  return `enum {\n${calls.map(({ constant, number }) => `  REQUIRE_${upperSnake(constant)} = ${number},`).join('\n')}\n};`;
}

/** Parameters and arguments of one payload. */
interface Passed {
  readonly parameters: readonly string[];
  readonly pointer: string;
  readonly bytes: string;
}

function requestOf(payload: StubPayload): Passed {
  switch (payload.kind) {
    case 'none':
      return { parameters: [], pointer: 'NULL', bytes: '0' };
    case 'record':
      return { parameters: [`const struct ${payload.name} *request`], pointer: 'request', bytes: 'sizeof *request' };
    case 'array':
      return {
        parameters: [`const struct ${payload.name} *request`, 'uint32_t count'],
        pointer: 'request',
        bytes: 'count * (uint32_t)sizeof *request',
      };
    default:
      return {
        parameters: ['const void *request', 'uint32_t request_bytes'],
        pointer: 'request',
        bytes: 'request_bytes',
      };
  }
}

function responseOf(payload: StubPayload): Passed {
  switch (payload.kind) {
    case 'none':
      return { parameters: [], pointer: 'NULL', bytes: '0' };
    case 'record':
      return { parameters: [`struct ${payload.name} *response`], pointer: 'response', bytes: 'sizeof *response' };
    case 'array':
      return {
        parameters: [`struct ${payload.name} *response`, 'uint32_t room', 'uint32_t *got'],
        pointer: 'response',
        bytes: 'room * (uint32_t)sizeof *response',
      };
    default:
      return { parameters: ['void *response', 'uint32_t capacity'], pointer: 'response', bytes: 'capacity' };
  }
}

function call({ name, constant, method, path, request, response }: StubCall): string {
  const asked = requestOf(request);
  const given = responseOf(response);
  const parameters = [...asked.parameters, ...given.parameters].join(', ');
  const invoke = `ts_call(REQUIRE_${upperSnake(constant)}, ${asked.pointer}, ${asked.bytes}, ${given.pointer}, ${given.bytes})`;
  const counts = response.kind === 'array';
  const body = counts
    ? `  ts_result result = ${invoke};\n  *got = ts_ok(result) ? ts_length(result) / (uint32_t)sizeof *response : 0;\n  return result;`
    : `  return ${invoke};`;
  const note = counts ? `; \`room\` and \`got\` count elements` : '';
  const heading = `/** ${method} /${path}${note} */\n`;
  return `${heading}TS_INLINE ts_result call_${name}(${parameters === '' ? 'void' : parameters}) {\n${body}\n}`;
}

function prototype({ name, method, path, request, response }: StubHandler): string {
  const type = (payload: StubPayload): string =>
    payload.kind === 'record' || payload.kind === 'array' ? `struct ${payload.name}` : 'void';
  const heading = `/** Handler of ${method} /${path}: to be written. */\n`;
  const parameters = `const ${type(request)} *payload, uint32_t payload_bytes, ${type(response)} *response, uint32_t capacity`;
  return `${heading}TS_EXPORT("${name}") ts_result ${name}(${parameters});`;
}
