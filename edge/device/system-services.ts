// The services that the kernel and the drivers of a device have, with their payloads' types: what manifests say of modules.
// Data; docs/system-services.md says the same for people. Knows no device.
import { METHOD_NUMBERS } from '../../compiler/abi/os-layout.js';
import { InternalError } from '../../compiler/diagnostics.js';
import type { ServiceEntry as ManifestService, TypeEntry } from '../../manifest/file.js';
import { Findings } from '../../manifest/findings.js';
import type { ModuleModel } from '../../manifest/model.js';
import { resolveManifest } from '../../manifest/resolve.js';
import type { ServiceEntry } from '../fleet/types.js';
import type { Link } from '../imc/link-format.js';

/** Pseudo-module that stands for the services that are no module's. */
export const DEVICE_MODULE = 'device';

const bytes = (max: number, min = 0): TypeEntry => ({ type: 'bytes', min, max });
const text = (max: number): TypeEntry => ({ type: 'utf8', max });
const cbor: TypeEntry = { type: 'cbor', max: 4096 };
const level: TypeEntry = { type: 'record', fields: [{ name: 'level', type: 'u8' }] };
const time: TypeEntry = { type: 'record', fields: [{ name: 'microseconds', type: 'u64' }] };
const length: TypeEntry = { type: 'record', fields: [{ name: 'bytes', type: 'u32' }] };

type Row = readonly [
  method: ManifestService['method'],
  path: string,
  request: TypeEntry | null,
  response: TypeEntry | null,
];

const ROWS: readonly Row[] = [
  ['GET', '/.well-known/core', null, text(4096)],
  ['GET', '/dev/gpio/{pin}', null, level],
  ['PUT', '/dev/gpio/{pin}', text(8), null],
  ['GET', '/dev/clock', null, time],
  ['GET', '/dev/random', null, bytes(64)],
  ['POST', '/dev/console', text(256), null],
  ['GET', '/dev/uart/{port}', null, bytes(1024)],
  ['POST', '/dev/uart/{port}', bytes(1024), null],
  ['GET', '/dev/i2c/{bus}/{address}', null, bytes(31)],
  ['PUT', '/dev/i2c/{bus}/{address}', bytes(31), null],
  ['POST', '/dev/i2c/{bus}/{address}', bytes(31), bytes(31)],
  ['GET', '/sys/image', null, cbor],
  ['GET', '/sys/modules', null, cbor],
  ['GET', '/sys/modules/{name}', null, cbor],
  ['PUT', '/sys/modules/{name}', text(8), null],
  ['GET', '/sys/modules/{name}/fault', null, cbor],
  ['GET', '/sys/modules/{name}/state', null, bytes(0x3ffff)],
  ['PUT', '/sys/modules/{name}/state', bytes(0x3ffff), null],
  ['GET', '/sys/slots', null, cbor],
  ['GET', '/sys/slots/{slot}', null, cbor],
  ['POST', '/sys/slots/{slot}', length, null],
  ['PUT', '/sys/slots/{slot}', bytes(4096), null],
  ['DELETE', '/sys/slots/{slot}', null, null],
  ['POST', '/sys/slots/{slot}/commit', null, null],
  ['DELETE', '/sys/slots/{slot}/upload', null, null],
];

/** All of them as a module of the manifest would have them. */
export const SYSTEM_MODEL: ModuleModel = systemModel();

function systemModel(): ModuleModel {
  const provides = ROWS.map(([method, path, request, response]): ManifestService => {
    const contract = { ...(request === null ? {} : { request }), ...(response === null ? {} : { response }) };
    return { method, path, handler: 'native', contract };
  });
  const findings = new Findings(() => ({}));
  const file = {
    name: DEVICE_MODULE,
    version: '1.0.0',
    modules: [{ name: DEVICE_MODULE, wasm: '', version: '1.0.0', provides }],
  };
  const [model] = resolveManifest(file, findings).modules;
  findings.raise();
  if (model === undefined) throw new InternalError('no system services');
  return model;
}

/**
 * Services behind the links that a device lists: the system's with their methods, of which it lists each path once; any
 * other path, of a module that nothing is known of, with all methods.
 */
export function servicesOf(links: readonly Link[]): ServiceEntry[] {
  const listed = new Map(
    [{ path: '.well-known/core', attributes: ';ct=40' }, ...links].map((link) => [link.path, link]),
  );
  return [...listed.values()].flatMap(({ path, attributes }) => {
    const known = SYSTEM_MODEL.provides.filter((service) => service.path === path);
    const methods =
      known.length > 0 ? known.map(({ method }) => METHOD_NUMBERS[method]) : Object.values(METHOD_NUMBERS);
    return methods.map((method): ServiceEntry => {
      const isGet = method === METHOD_NUMBERS.GET;
      return {
        method,
        path,
        attributes: isGet ? attributes : '',
        observable: isGet && /;obs(?:;|$)/.test(attributes),
      };
    });
  });
}
