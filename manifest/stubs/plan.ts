// Takes a model and one of its modules, gives what its stubs consist of, in no language: records, calls with their
// numbers, handlers. Refuses to know syntax.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { MethodName } from '../file.js';
import type { AppModel, ModuleModel, PayloadType, RecordType } from '../model.js';
import { isExact, numberRequirements } from '../requirements.js';
import { covers } from '../routes.js';

export interface StubRecord {
  readonly name: string;
  readonly record: RecordType;
}

export type StubPayload =
  | { readonly kind: 'none' }
  /** Not described here: the service is another device's or the system's. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'bytes' | 'utf8' | 'cbor'; readonly max: number }
  | { readonly kind: 'record'; readonly name: string }
  | { readonly kind: 'array'; readonly name: string; readonly max: number };

/** A request by number. */
export interface StubCall {
  /** `weather_get`. */
  readonly name: string;
  /** `weather`, or `rule_get` where there are several methods. */
  readonly constant: string;
  readonly number: number;
  readonly method: MethodName;
  readonly path: string;
  readonly request: StubPayload;
  readonly response: StubPayload;
}

export interface StubHandler {
  readonly name: string;
  readonly method: MethodName;
  readonly path: string;
  readonly request: StubPayload;
  readonly response: StubPayload;
}

export interface StubPlan {
  readonly app: string;
  readonly module: string;
  /** In the order of their use. */
  readonly records: readonly StubRecord[];
  readonly calls: readonly StubCall[];
  readonly handlers: readonly StubHandler[];
}

/** @throws DiagnosticError W605 if there is no such module */
export function planStubs(app: AppModel, name: string): StubPlan {
  const module = app.modules.find((candidate) => candidate.name === name);
  if (module === undefined) {
    const names = app.modules.map((candidate) => candidate.name).join(', ');
    throw new DiagnosticError('W605', `--module ${name}: must be one of ${names}`);
  }
  const records = new Map<RecordType, string>();
  const describe = (type: PayloadType | null, fallback: string): StubPayload => {
    if (type === null) return { kind: 'none' };
    if (type.kind !== 'record' && type.kind !== 'array') return { kind: type.kind, max: type.max };
    const record = type.kind === 'array' ? type.of : type;
    let known = records.get(record);
    if (known === undefined) records.set(record, (known = record.name ?? fallback));
    return type.kind === 'array' ? { kind: 'array', name: known, max: type.max } : { kind: 'record', name: known };
  };
  const handlers = module.provides.map(({ handler, method, path, contract }): StubHandler => {
    const request = describe(contract.request, `${handler}_request`);
    return { name: handler, method, path, request, response: describe(contract.response, `${handler}_response`) };
  });
  const calls = planCalls(app, module, describe);
  return {
    app: app.name,
    module: name,
    records: [...records].map(([record, key]) => ({ name: key, record })),
    calls,
    handlers,
  };
}

function planCalls(
  app: AppModel,
  module: ModuleModel,
  describe: (type: PayloadType | null, fallback: string) => StubPayload,
): StubCall[] {
  const provided = app.modules.flatMap(({ provides }) => provides);
  const calls: StubCall[] = [];
  numberRequirements(module.requires).forEach(({ requirement, methods }, number) => {
    if (!isExact(requirement)) return;
    const method = methods[0]!;
    const service = provided.find((entry) => entry.method === method && covers(requirement.path, entry.path));
    const name = `${requirement.name}_${method.toLowerCase()}`;
    const { request, response } = service?.contract ?? {};
    calls.push({
      name,
      constant: requirement.methods.length > 1 ? name : requirement.name,
      number,
      method,
      path: requirement.path,
      request: request === undefined ? { kind: 'unknown' } : describe(request, `${name}_request`),
      response: response === undefined ? { kind: 'unknown' } : describe(response, `${name}_response`),
    });
  });
  return calls;
}

/** What the range of a field is, for a comment; empty if it has none. */
export function rangeText({ min, max }: { readonly min: number | null; readonly max: number | null }): string {
  if (min === null && max === null) return '';
  if (min === null) return `at most ${max}`;
  return max === null ? `at least ${min}` : `${min} to ${max}`;
}

/** `weather-station` and `get_rule` as `WeatherStation` and `GetRule`. */
export function pascalCase(name: string): string {
  return name.replace(/(^|[_-])([A-Za-z0-9])/g, (_, __, letter: string) => letter.toUpperCase());
}

export function upperSnake(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/-/g, '_')
    .toUpperCase();
}

/** A name that the language has taken gets an underscore. */
export function avoiding(taken: ReadonlySet<string>, name: string): string {
  return taken.has(name) ? `${name}_` : name;
}
