// Takes a model, finds what contradicts itself: names, routes, rights, deadlines, limits of the device. Knows the
// manifest only; exports and stacks are others' (check-modules.ts, check-stacks.ts).
import { BOARDS } from '../compiler/abi/boards.js';
import { MAX_MODULES, MAX_REQUIREMENTS, MAX_SLOTS } from '../compiler/abi/os-layout.js';
import type { Findings } from './findings.js';
import type { AppModel, ModuleModel, RequirementModel } from './model.js';
import { numberRequirements } from './requirements.js';
import { covers, isElsewhere, isNative, routeShape } from './routes.js';
import type { Provided } from './routes.js';

/** What an edge calls its clients when nobody has a token. */
const GATEWAYS = ['http', 'coap'] as const;
/** The kernel's own modules, names that imports have taken, and callers that are no modules. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(['sys', 'dev', 'edge0', 'edge1', 'env', 'thingspire', ...GATEWAYS]);
/** sys, dev, and the two workers for requests of other devices. */
const NATIVE_MODULES = 4;

/** Callers that are no modules of the application: of another thing, or people and programs with a token. */
function isOutside(caller: string): boolean {
  return caller.includes('@') || caller.startsWith('user:');
}

/** @param complete whether the modules are all that the application has: others may provide and call */
export function checkManifest(app: AppModel, findings: Findings, complete: boolean): void {
  if (app.board !== null && !BOARDS.has(app.board))
    findings.error('W802', '/board', `must be one of ${[...BOARDS.keys()].join(', ')}`);
  checkNames(app, findings);
  const provided = app.modules.flatMap((module) => module.provides.map((service) => ({ module, service })));
  checkRoutes(provided, findings);
  const known = new Set([...RESERVED_NAMES, ...app.modules.map(({ name }) => name)]);
  for (const { service } of provided) {
    service.contract.callers?.forEach((caller, i) => {
      const where = `${service.pointer}/contract/callers/${i}`;
      const [module, thing] = caller.split('@');
      if (thing === app.name)
        findings.warning('W806', where, `a module of this application calls as "${module}", without "@${thing}"`);
      // A module that is installed later has any name.
      if (isOutside(caller) || known.has(caller) || app.slots.length > 0 || !complete) return;
      findings.error('W806', where, `there is no module "${caller}"`);
    });
  }
  for (const module of app.modules) checkModule(module, provided, findings, complete);
  checkStrings(app, findings);
}

function checkNames(app: AppModel, findings: Findings): void {
  const names = new Map<string, string>();
  const claim = (name: string, pointer: string, what: string): void => {
    const other = names.get(name);
    if (RESERVED_NAMES.has(name)) findings.error('W804', `${pointer}/name`, `"${name}" is a name of the system`);
    else if (other !== undefined) findings.error('W804', `${pointer}/name`, `${what} "${name}" is there already`);
    names.set(name, pointer);
  };
  for (const { name, pointer } of app.modules) claim(name, pointer, 'module');
  names.clear();
  app.slots.forEach(({ name }, i) => claim(name, `/slots/${i}`, 'slot'));
  const most = MAX_MODULES - NATIVE_MODULES;
  const count = app.modules.length + app.slots.length;
  if (count > most) findings.error('W811', '/modules', `${count} modules and slots; the device has room for ${most}`);
  if (app.slots.length > MAX_SLOTS)
    findings.error('W811', '/slots', `${app.slots.length} slots; the device has room for ${MAX_SLOTS}`);
  if (app.slots.length > 0 && app.publicKey === null)
    findings.warning('W813', '/slots', 'without "publicKey" nothing can be installed');
  if (app.slots.length === 0 && app.publicKey !== null)
    findings.warning('W813', '/publicKey', 'is of no use without "slots"');
}

function checkRoutes(provided: readonly Provided[], findings: Findings): void {
  const routes = new Map<string, Provided>();
  for (const entry of provided) {
    const { service } = entry;
    if (isNative(service.path))
      findings.error('W804', `${service.pointer}/path`, `/${service.path} belongs to the system`);
    const key = `${service.method} ${routeShape(service.path)}`;
    const other = routes.get(key);
    if (other !== undefined)
      findings.error('W804', service.pointer, `${service.method} /${service.path} is ${other.module.name}'s already`);
    routes.set(key, entry);
    if (service.observable && service.method !== 'GET')
      findings.error('W802', `${service.pointer}/observable`, 'only GET can be observed');
    const parameters = service.path.match(/\{[^}]*\}/g) ?? [];
    if (new Set(parameters).size !== parameters.length)
      findings.error('W804', `${service.pointer}/path`, `two parameters of one name in /${service.path}`);
  }
}

function checkModule(module: ModuleModel, provided: readonly Provided[], findings: Findings, complete: boolean): void {
  const needed = numberRequirements(module.requires).length;
  if (needed > MAX_REQUIREMENTS)
    findings.error(
      'W811',
      `${module.pointer}/requires`,
      `${needed} requirements, methods counted; at most ${MAX_REQUIREMENTS}`,
    );
  const called: Provided[] = [];
  for (const requirement of module.requires) {
    if (isNative(requirement.path) || isElsewhere(requirement.path) || requirement.external) continue;
    const there = provided.filter(({ service }) => covers(requirement.path, service.path));
    if (complete || there.length > 0) checkRequirement(module, requirement, there, findings);
    called.push(...there.filter(({ service }) => requirement.methods.includes(service.method)));
  }
  const slowest = called.reduce<Provided | undefined>(
    (most, entry) =>
      most === undefined || entry.service.contract.deadlineUs > most.service.contract.deadlineUs ? entry : most,
    undefined,
  );
  if (slowest === undefined) return;
  const longest = slowest.service.contract.deadlineUs;
  const warn = (pointer: string, us: number, what: string): void => {
    if (us > longest) return;
    const callee = `${slowest.service.method} /${slowest.service.path}, which may take ${formatTime(longest)}`;
    findings.warning('W807', pointer, `${what} has ${formatTime(us)} and may call ${callee}: such a call is refused`);
  };
  for (const { method, path, pointer, contract } of module.provides)
    warn(`${pointer}/contract/deadline`, contract.deadlineUs, `${method} /${path}`);
  warn(`${module.pointer}/eventDeadline`, module.eventDeadlineUs, `an event of ${module.name}`);
}

function checkRequirement(
  module: ModuleModel,
  { path, methods, pointer }: RequirementModel,
  there: readonly Provided[],
  findings: Findings,
): void {
  if (there.length === 0) {
    findings.warning('W805', pointer, `no module here provides /${path} (say "external": true if another one will)`);
    return;
  }
  for (const method of methods) {
    const services = there.filter(({ service }) => service.method === method);
    if (services.length === 0) findings.warning('W805', `${pointer}/methods`, `/${path} has no ${method}`);
    const refusing = services.filter(({ service }) => service.contract.callers?.includes(module.name) === false);
    if (services.length > 0 && refusing.length === services.length)
      findings.warning(
        'W806',
        pointer,
        `${module.name} is none of the callers of ${method} /${path}: it will get 4.03`,
      );
  }
}

/** WASI's arguments and environment are the image's. */
function checkStrings(app: AppModel, findings: Findings): void {
  for (const key of ['args', 'env'] as const) {
    const [first, ...others] = app.modules.filter((module) => module[key].length > 0);
    for (const module of others)
      if (module[key].join('\0') !== first![key].join('\0'))
        findings.error('W802', `${module.pointer}/${key}`, `differs from that of ${first!.name}: an image has one`);
  }
}

export function formatTime(us: number): string {
  if (us >= 1_000_000) return `${us / 1_000_000} s`;
  return us >= 1000 ? `${us / 1000} ms` : `${us} us`;
}
