// Takes a stub plan, gives a Rust file on top of the crate `thingspire`: structs, numbers of requirements, calls with
// structs. Knows Rust's syntax only.
import type { ScalarName } from '../file.js';
import { SCALARS } from '../payload-types.js';
import { avoiding, pascalCase, rangeText, upperSnake } from './plan.js';
import type { StubCall, StubHandler, StubPayload, StubPlan, StubRecord } from './plan.js';

/** Keywords of Rust, reserved ones too. */
const TAKEN: ReadonlySet<string> = new Set(
  (
    'abstract as async await become box break const continue crate do dyn else enum extern false final fn for gen if impl ' +
    'in let loop macro match mod move mut override priv pub ref return Self self static struct super trait true try type ' +
    'typeof unsafe unsized use virtual where while yield'
  ).split(' '),
);

/** Every bit pattern of a field must be a value, so a bool is its byte. */
const rustType = (scalar: ScalarName): string => (scalar === 'bool' ? 'u8' : scalar);

export function rustStubs({ app, module, records, calls, handlers }: StubPlan): string {
  const uses = [
    ...(records.length > 0 ? ['Plain'] : []),
    ...(calls.length > 0 ? ['Reply'] : []),
    ...(calls.some(usesBytesOf) ? ['bytes_of'] : []),
    ...(calls.length > 0 ? ['call'] : []),
  ];
  const parts = [
    `// What module "${module}" of ${app} provides and requires. Made by \`wasm-aot stubs\`: do not edit.\n#![allow(dead_code)]`,
    ...(uses.length === 0 ? [] : [`use thingspire::{${uses.join(', ')}};`]),
    ...(handlers.length === 0 ? [] : [handlers.map(handlerNote).join('\n')]),
    ...records.map(struct),
    ...(calls.length === 0 ? [] : [calls.map(number).join('\n')]),
    ...calls.map(stub),
  ];
  return `${parts.join('\n\n')}\n`;
}

const usesBytesOf = ({ request }: StubCall): boolean => request.kind === 'record';

function struct({ name, record: { fields, bytes } }: StubRecord): string {
  const type = pascalCase(name);
  const lines: string[] = [];
  const zeros: string[] = [];
  let at = 0;
  const pad = (to: number): void => {
    if (to === at) return;
    lines.push(`    pub _pad${at}: [u8; ${to - at}],`);
    zeros.push(`_pad${at}: [0; ${to - at}]`);
  };
  for (const field of fields) {
    pad(field.offset);
    const range = rangeText(field);
    if (range !== '') lines.push(`    /// ${range}`);
    const element = rustType(field.scalar);
    const member = avoiding(TAKEN, field.name);
    const zero = field.scalar.startsWith('f') ? '0.0' : '0';
    lines.push(`    pub ${member}: ${field.count === null ? element : `[${element}; ${field.count}]`},`);
    zeros.push(`${member}: ${field.count === null ? zero : `[${zero}; ${field.count}]`}`);
    at = field.offset + SCALARS[field.scalar].bytes * (field.count ?? 1);
  }
  pad(bytes);
  return `#[repr(C)]
#[derive(Clone, Copy)]
pub struct ${type} {
${lines.join('\n')}
}
impl ${type} {
    pub const ZERO: ${type} = ${type} { ${zeros.join(', ')} };
}
const _: [u8; ${bytes}] = [0; core::mem::size_of::<${type}>()];
unsafe impl Plain for ${type} {}`;
}

const number = ({ constant, number: value }: StubCall): string =>
  `pub const REQUIRE_${upperSnake(constant)}: u32 = ${value};`;

function stub({ name, constant, method, path, request, response }: StubCall): string {
  const parameters: string[] = [];
  let payload = '&[]';
  let buffer = '&mut []';
  const slice = (what: string, type: string): string =>
    `unsafe { core::slice::from_raw_parts${what === 'response' ? '_mut' : ''}(${what}.as_${what === 'response' ? 'mut_' : ''}ptr() as *${what === 'response' ? 'mut' : 'const'} u8, ${what}.len() * core::mem::size_of::<${type}>()) }`;
  if (request.kind === 'record') {
    parameters.push(`request: &${pascalCase(request.name)}`);
    payload = 'bytes_of(request)';
  } else if (request.kind === 'array') {
    parameters.push(`request: &[${pascalCase(request.name)}]`);
    payload = slice('request', pascalCase(request.name));
  } else if (request.kind !== 'none') {
    parameters.push('request: &[u8]');
    payload = 'request';
  }
  if (response.kind === 'record') {
    const type = pascalCase(response.name);
    parameters.push(`response: &mut ${type}`);
    buffer = `unsafe { core::slice::from_raw_parts_mut(response as *mut ${type} as *mut u8, core::mem::size_of::<${type}>()) }`;
  } else if (response.kind === 'array') {
    parameters.push(`response: &mut [${pascalCase(response.name)}]`);
    buffer = slice('response', pascalCase(response.name));
  } else if (response.kind !== 'none') {
    parameters.push('response: &mut [u8]');
    buffer = 'response';
  }
  return `/// ${method} /${path}
pub fn call_${name}(${parameters.join(', ')}) -> Reply {
    call(REQUIRE_${upperSnake(constant)}, ${payload}, ${buffer})
}`;
}

function handlerNote({ name, method, path, request, response }: StubHandler): string {
  const text = (payload: StubPayload): string => {
    if (payload.kind === 'none') return 'nothing';
    if (payload.kind === 'record') return `\`${pascalCase(payload.name)}\``;
    if (payload.kind === 'array') return `up to ${payload.max} \`${pascalCase(payload.name)}\``;
    return payload.kind === 'unknown' ? 'anything' : `${payload.kind}, up to ${payload.max} bytes`;
  };
  return `// ${method} /${path}: \`handler! { fn ${name}(request, response) -> Reply { ... } }\`\n//   takes ${text(request)}, gives ${text(response)}`;
}
