// Takes a stub plan, gives an AssemblyScript file on top of the module "thingspire": records as views of memory, numbers of
// requirements, calls with records. Knows AssemblyScript's syntax only.
import { SCALARS } from '../payload-types.js';
import type { FieldModel } from '../model.js';
import { avoiding, pascalCase, rangeText, upperSnake } from './plan.js';
import type { StubCall, StubHandler, StubPayload, StubPlan, StubRecord } from './plan.js';

/** Members that every record has, and words that AssemblyScript does not take as names of members. */
const TAKEN: ReadonlySet<string> = new Set(
  (
    'address at size constructor abstract any as break case catch class const continue debugger declare default delete ' +
    'do else enum export extends false finally for from function get if implements import in instanceof interface is let ' +
    'module namespace new null number of override package private protected public readonly return set static string ' +
    'super switch symbol this throw true try type typeof undefined var void while with yield'
  ).split(' '),
);

export function assemblyScriptStubs({ app, module, records, calls, handlers }: StubPlan): string {
  const parts = [
    `// What module "${module}" of ${app} provides and requires. Made by \`wasm-aot stubs\`: do not edit.`,
    ...(calls.length === 0 ? [] : ['import { Result, call } from "thingspire";']),
    ...(handlers.length === 0 ? [] : [handlers.map(handlerNote).join('\n')]),
    ...records.map(record),
    ...(calls.length === 0 ? [] : [calls.map(number).join('\n')]),
    ...calls.map(stub),
  ];
  return `${parts.join('\n\n')}\n`;
}

/** A view: the record lies anywhere, in a window too, so its fields are loads and stores. */
function record({ name, record: { fields, bytes } }: StubRecord): string {
  const type = pascalCase(name);
  return `/** ${bytes} bytes; \`${type}.at(address)\` is the one there, e.g. at \`memory.data(${bytes})\` or in a payload. */
@unmanaged
export class ${type} {
  @inline static get size(): u32 {
    return ${bytes};
  }
  @inline static at(address: usize): ${type} {
    return changetype<${type}>(address);
  }
  @inline get address(): usize {
    return changetype<usize>(this);
  }
${fields.map(accessors).join('\n')}
}`;
}

function accessors(field: FieldModel): string {
  const { scalar, offset, count } = field;
  const name = avoiding(TAKEN, field.name);
  const type = scalar;
  const stored = scalar === 'bool' ? 'u8' : scalar;
  const get = scalar === 'bool' ? ' != 0' : '';
  const range = rangeText(field);
  const doc = range === '' ? '' : `  /** ${range} */\n`;
  if (count === null)
    return `${doc}  @inline get ${name}(): ${type} {
    return load<${stored}>(changetype<usize>(this), ${offset})${get};
  }
  @inline set ${name}(value: ${type}) {
    store<${stored}>(changetype<usize>(this), value, ${offset});
  }`;
  const address = `changetype<usize>(this) + <usize>index * ${SCALARS[scalar].bytes}`;
  return `  /** Element of ${count}${range === '' ? '' : `, ${range}`}. */
  @inline get_${name}(index: u32): ${type} {
    return load<${stored}>(${address}, ${offset})${get};
  }
  @inline set_${name}(index: u32, value: ${type}): void {
    store<${stored}>(${address}, value, ${offset});
  }`;
}

const number = ({ constant, number: value }: StubCall): string =>
  `export const REQUIRE_${upperSnake(constant)}: u32 = ${value};`;

interface Passed {
  readonly parameters: readonly string[];
  readonly pointer: string;
  readonly bytes: string;
}

function passed(payload: StubPayload, what: 'request' | 'response'): Passed {
  switch (payload.kind) {
    case 'none':
      return { parameters: [], pointer: '0', bytes: '0' };
    case 'record': {
      const type = pascalCase(payload.name);
      return { parameters: [`${what}: ${type}`], pointer: `${what}.address`, bytes: `${type}.size` };
    }
    case 'array': {
      const type = pascalCase(payload.name);
      const count = `${what}Count`;
      return {
        parameters: [`${what}: ${type}`, `${count}: u32`],
        pointer: `${what}.address`,
        bytes: `${count} * ${type}.size`,
      };
    }
    default:
      return { parameters: [`${what}: usize`, `${what}Bytes: u32`], pointer: what, bytes: `${what}Bytes` };
  }
}

function stub({ name, constant, method, path, request, response }: StubCall): string {
  const asked = passed(request, 'request');
  const given = passed(response, 'response');
  const parameters = [...asked.parameters, ...given.parameters].join(', ');
  const invoke = `call(REQUIRE_${upperSnake(constant)}, ${asked.pointer}, ${asked.bytes}, ${given.pointer}, ${given.bytes})`;
  const base = pascalCase(name);
  return `/** ${method} /${path}${response.kind === 'array' ? '; counts are of elements, the response may have fewer' : ''} */
@inline
export function call${base}(${parameters}): Result {
  return ${invoke};
}`;
}

function handlerNote({ name, method, path, request, response }: StubHandler): string {
  const text = (payload: StubPayload): string => {
    if (payload.kind === 'none') return 'nothing';
    if (payload.kind === 'record') return pascalCase(payload.name);
    if (payload.kind === 'array') return `up to ${payload.max} ${pascalCase(payload.name)}`;
    return payload.kind === 'unknown' ? 'anything' : `${payload.kind}, up to ${payload.max} bytes`;
  };
  return `// ${method} /${path}: export function ${name}(payload: usize, payloadBytes: u32, response: usize, capacity: u32): Result
//   takes ${text(request)}, gives ${text(response)}`;
}
