// Takes things.json as checked by its schema, gives the model: defaults, times as numbers, types laid out. Knows what
// each entry means; refuses to know what other modules provide (check.ts).
import type { ContractEntry, ModuleEntry, RequirementEntry, ServiceEntry, ThingsFile } from './file.js';
import type { Findings } from './findings.js';
import type { AppModel, ContractModel, ModuleModel, RequirementModel, ServiceModel } from './model.js';
import { PayloadTypes } from './payload-types.js';

export const DEFAULT_STACK_BYTES = 4096;
const DEFAULT_PRIORITY = 1;
const DEFAULT_DEADLINE = '10ms';
const DEFAULT_START_DEADLINE = '100ms';
const DEFAULT_BACKOFF = '100ms';

/** Version of the custom section's form. */
export const SECTION_FORMAT = 1;

export function resolveManifest(file: ThingsFile, findings: Findings): AppModel {
  const types = new PayloadTypes(file.types ?? {}, findings);
  return {
    name: file.name,
    version: file.version,
    board: file.board ?? null,
    modules: file.modules.map((entry, i) => resolveModule(entry, `/modules/${i}`, types, findings)),
    slots: (file.slots ?? []).map(({ name, pages, ram }) => ({ name, pages, ramBytes: ram })),
    publicKey: file.publicKey ?? null,
    consoleBaud: file.console?.baud ?? null,
    records: types.records,
  };
}

function resolveModule(entry: ModuleEntry, pointer: string, types: PayloadTypes, findings: Findings): ModuleModel {
  const { restart = 'on-fault' } = entry;
  const { policy, max = 0, backoff = DEFAULT_BACKOFF } = typeof restart === 'string' ? { policy: restart } : restart;
  return {
    name: entry.name,
    version: entry.version,
    wasm: entry.wasm,
    memoryMax: entry.memory?.max ?? null,
    stackBytes: Math.ceil((entry.stack ?? DEFAULT_STACK_BYTES) / 16) * 16,
    priority: entry.priority ?? DEFAULT_PRIORITY,
    restart: { policy, max, backoffMs: Math.ceil(microseconds(backoff) / 1000) },
    startDeadlineUs: time(entry.startDeadline ?? DEFAULT_START_DEADLINE, `${pointer}/startDeadline`, findings),
    eventDeadlineUs: time(entry.eventDeadline ?? DEFAULT_DEADLINE, `${pointer}/eventDeadline`, findings),
    provides: (entry.provides ?? []).map((service, i) =>
      resolveService(service, `${pointer}/provides/${i}`, types, findings),
    ),
    requires: nameRequirements(entry.requires ?? [], `${pointer}/requires`, findings),
    env: Object.entries(entry.env ?? {}).map(([name, value]) => `${name}=${value}`),
    args: entry.args ?? [],
    travelling: travellingPart(entry, types),
    pointer,
  };
}

/** The entry without what is of the build machine, and the types it needs. */
function travellingPart(entry: ModuleEntry, types: PayloadTypes): unknown {
  const { wasm: _, ...module } = entry;
  const contracts = (entry.provides ?? []).map(({ contract }) => contract);
  return {
    thingspire: SECTION_FORMAT,
    module,
    types: types.referred(contracts.flatMap((contract) => [contract?.request, contract?.response])),
  };
}

function resolveService(entry: ServiceEntry, pointer: string, types: PayloadTypes, findings: Findings): ServiceModel {
  const { method, path, handler, observable = false, attributes = {}, contract = {} } = entry;
  let text = '';
  for (const name of ['rt', 'if', 'title'] as const)
    if (attributes[name] !== undefined) text += `;${name}="${attributes[name]}"`;
  if (attributes.ct !== undefined) text += `;ct=${attributes.ct}`;
  if (observable) text += ';obs';
  return {
    method,
    path: path.slice(1),
    handler,
    observable,
    attributes: text,
    contract: resolveContract(contract, `${pointer}/contract`, types, findings),
    pointer,
  };
}

function resolveContract(
  entry: ContractEntry,
  pointer: string,
  types: PayloadTypes,
  findings: Findings,
): ContractModel {
  const rate = entry.rate === undefined ? 0 : Number.parseInt(entry.rate, 10);
  if (rate > 0xffff) findings.error('W802', `${pointer}/rate`, 'must be at most 65535/s');
  if (rate === 0 && entry.burst !== undefined) findings.error('W802', `${pointer}/burst`, 'a burst needs a rate');
  return {
    request: types.use(entry.request, `${pointer}/request`),
    response: types.use(entry.response, `${pointer}/response`),
    deadlineUs: time(entry.deadline ?? DEFAULT_DEADLINE, `${pointer}/deadline`, findings),
    rate,
    burst: entry.burst ?? rate,
    callers: entry.callers ?? null,
  };
}

function nameRequirements(
  entries: readonly RequirementEntry[],
  pointer: string,
  findings: Findings,
): RequirementModel[] {
  const names = new Set<string>();
  return entries.map(({ path, methods, name, external = false, timeout }, i) => {
    const where = `${pointer}/${i}`;
    const chosen = name ?? constantName(path);
    if (names.has(chosen)) findings.error('W804', where, `two requirements named "${chosen}": give one a "name"`);
    names.add(chosen);
    const timeoutMs = timeout === undefined ? 0 : Math.ceil(microseconds(timeout) / 1000);
    if (timeoutMs > 0xffff) findings.error('W807', `${where}/timeout`, 'must be at most 65535ms');
    return { path: path.slice(1), methods, name: chosen, external, timeoutMs, pointer: where };
  });
}

/** `/log/*` is `log`, `/dev/gpio/2` is `dev_gpio_2`. */
function constantName(path: string): string {
  const words = path
    .replace(/\/\*$/, '')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  return /^[A-Za-z]/.test(words) ? words : `path_${words}`;
}

/** Cycles are counted in 31 bits on the device: at 240 MHz less than 9 s. */
const MAX_DEADLINE_US = 8_000_000;

function time(text: string, pointer: string, findings: Findings): number {
  const us = microseconds(text);
  if (us < 1 || us > MAX_DEADLINE_US) findings.error('W807', pointer, `"${text}" is not between 1us and 8s`);
  return us;
}

const UNITS: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1_000_000 };

/** Microseconds of a time that the schema has seen. */
export function microseconds(text: string): number {
  const [, number, unit] = /^([0-9.]+)(us|ms|s)$/.exec(text) ?? [];
  return Number(number) * UNITS[unit ?? '']!;
}
