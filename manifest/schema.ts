// Takes a JSON value, gives every place where it departs from things.schema.json, in words. Knows the schema file and
// its validator; refuses to know what a manifest means.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { packageRoot } from '../linker/runtime-objects.js';
import type { Findings } from './findings.js';

let validator: ValidateFunction | undefined;

function compile(): ValidateFunction {
  const path = join(packageRoot(), 'manifest', 'things.schema.json');
  const schema = JSON.parse(readFileSync(path, 'utf8')) as object;
  return new Ajv({ allErrors: true, discriminator: true, allowUnionTypes: true, strictTypes: false }).compile(schema);
}

/** Reports each departure as W802; true if there is none. */
export function checkSchema(value: unknown, findings: Findings): boolean {
  validator ??= compile();
  if (validator(value)) return true;
  for (const error of validator.errors ?? []) {
    // Its branch has said what is wrong.
    if (error.keyword === 'if') continue;
    findings.error('W802', pointerOf(error), describe(error));
  }
  return false;
}

const escapePointer = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

/** Points at an unknown property itself, not at its owner. */
function pointerOf({ keyword, instancePath, params }: ErrorObject): string {
  const extra = params as { additionalProperty?: string; propertyName?: string };
  const name = keyword === 'additionalProperties' ? extra.additionalProperty : extra.propertyName;
  return name === undefined || keyword === 'required' ? instancePath : `${instancePath}/${escapePointer(name)}`;
}

/** What the patterns mean; they say nothing to most people. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/\/(startDeadline|eventDeadline|deadline|backoff|timeout)$/, 'must be a time like "500us", "2ms" or "1.5s"'],
  [/\/version$/, 'must be major.minor.patch, each at most 999'],
  [/\/rate$/, 'must be a number of calls a second, like "100/s"'],
  [/\/provides\/\d+\/path$/, 'must be a path like "/log/{id}"'],
  [/\/requires\/\d+\/path$/, 'must be a path like "/log/7", or "/log/*" for all below'],
  [/\/callers\/\d+$/, 'must be a module, "module@thing", "user:name" or "user:*"'],
  [/\/name$/, 'must be a name: letters, digits and - for modules and slots, letters, digits and _ elsewhere'],
];

function describe(error: ErrorObject): string {
  const { keyword, instancePath, message, params } = error;
  const extra = params as Record<string, unknown>;
  switch (keyword) {
    case 'additionalProperties':
      return `unknown property "${String(extra['additionalProperty'])}"`;
    case 'required':
      return `"${String(extra['missingProperty'])}" is missing`;
    case 'enum':
      return `must be one of ${(extra['allowedValues'] as unknown[]).join(', ')}`;
    case 'discriminator':
      return 'type must be one of bytes, utf8, cbor, record, array';
    case 'pattern':
      return PATTERNS.find(([path]) => path.test(instancePath))?.[1] ?? `has characters that are not allowed`;
    case 'propertyNames':
      return `"${String(extra['propertyName'])}" is no name: letters, digits and _`;
    default:
      return message ?? keyword;
  }
}
