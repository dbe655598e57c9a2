// Runs an edge in the foreground until it is told to end. Takes what the command line said; prints what happens.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { parseDeviceSpec } from '../../edge/device/streams.js';
import type { AttachedDevice } from '../../edge/server/devices.js';
import { CachedPackages, packageHash } from '../../edge/fleet/packages.js';
import { EdgeServer } from '../../edge/server/edge-server.js';
import { filePackages, localFleet, type Fleet } from '../../edge/server/fleet.js';
import { readSecret } from '../../edge/security/private-file.js';
import { Security } from '../../edge/security/security.js';
import type { TlsFiles } from '../../edge/security/tls.js';
import { readFirmware, type FirmwareDescription } from '../../manifest/firmware.js';
import { readPrivateKey } from '../../manifest/keys.js';
import { embedManifest } from '../../manifest/section.js';
import { ExitCode } from '../exit-codes.js';
import { displayName, note, noteDiagnostic, print, printJson, readInput } from '../io.js';
import { readThings, type Application } from '../things.js';
import type { EdgeCommandArgs } from './edge.js';
import { eventLine } from './event-line.js';

export async function runEdge(args: EdgeCommandArgs): Promise<number> {
  const { name, json, data = null, listen: address, coapListen: coapAddress } = args;
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(name))
    throw new DiagnosticError('W605', '--name: lower-case letters, digits and hyphens');
  const devices = devicesOf(args);
  const application = args.things === undefined ? null : readThings(args.things);
  application?.loaded.findings.warnings.forEach((warning) => noteDiagnostic(warning, 'warning'));
  const security = await Security.open({
    name,
    dataDirectory: data,
    address,
    coapAddress,
    tls: tlsOf(args),
    insecure: args.insecure,
    coapRole: args.coapRole ?? null,
    nats: args.nats ?? null,
  });
  security.warnings.forEach((warning) => note(`warning: ${warning}\n`));
  const httpPort = portOf(args.http, 'http');
  const coapPort = portOf(args.coap, 'coap');
  const fleet = args.nats === undefined ? localFleet(data) : await natsFleet(args.nats, args, security);
  const server = new EdgeServer({
    name,
    dataDirectory: data,
    httpPort,
    coapPort,
    address,
    coapAddress,
    security,
    fleet,
  });
  server.log.watch(({ event }) => {
    // What happens at other edges they print themselves.
    if ('place' in event && server.places.findHere(event.place) === null) return;
    if (json) printJson(event);
    else if (event.type === 'log' || event.type === 'fault' || event.type === 'move') print(`${eventLine(event)}\n`);
  });
  const ended = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  try {
    await starting(server.start());
    if (application !== null) await deployNew(server, application);
    for (const device of devices) server.attach(device);
    if (server.url !== null) note(`${server.url}\n`);
    if (security.tls !== null) note(`certificate SHA-256 ${security.tls.fingerprint}\n`);
    if (coapPort !== null) note(`coap://${coapAddress}:${coapPort}/.well-known/core\n`);
    await ended;
  } finally {
    await server.close();
  }
  return ExitCode.Ok;
}

/** What the edges at a NATS server share; packages are kept near too. @throws DiagnosticError W902 */
async function natsFleet(address: string, args: EdgeCommandArgs, security: Security): Promise<Fleet> {
  const [{ NatsFleet }, { natsAccess }] = await Promise.all([
    import('../../edge/nats/fleet.js'),
    import('../../edge/nats/access.js'),
  ]);
  const { name, data, natsCa: ca, natsCert: cert, natsKey: key, natsCreds: creds } = args;
  const { envelopes } = security;
  const onProblem = (text: string): void => note(`NATS: ${text}\n`);
  const fleet = await NatsFleet.connect({
    ...natsAccess(address, { ca, cert, key, creds }),
    edge: name,
    envelopes,
    onProblem,
  });
  return {
    registry: fleet.registry,
    events: fleet.events,
    packages: new CachedPackages(filePackages(data ?? null), fleet.packages),
    linkTo: (place) => fleet.linkTo(place),
    placeOf: (place) => fleet.placeOf(place),
    serve: (here) => fleet.serve(here),
    close: () => fleet.close(),
  };
}

/** A port that is taken, an address that is not ours: the user's to settle. */
async function starting(start: Promise<void>): Promise<void> {
  try {
    await start;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof DiagnosticError || code === undefined || !/^E[A-Z]+$/.test(code)) throw error;
    throw new DiagnosticError('W902', message);
  }
}

/** What runs already, here or where it has moved to, goes on; other versions are replaced where they run. */
async function deployNew(server: EdgeServer, { loaded: { app }, inputs }: Application): Promise<void> {
  for (const model of app.modules) {
    const wasm = embedManifest(inputs.get(model.name)!.bytes, model.travelling);
    if (server.registry.placement(app.name, model.name)?.value.hash === packageHash(wasm)) continue;
    await server.deploy({ thing: app.name, wasm });
  }
}

function tlsOf({ tls, tlsCert, tlsKey }: EdgeCommandArgs): 'off' | 'own' | TlsFiles {
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new DiagnosticError('W605', '--tls-cert and --tls-key belong together');
  if (tlsCert !== undefined) return { certificate: tlsCert, key: tlsKey! };
  return tls ? 'own' : 'off';
}

function portOf(text: string, option: string): number | null {
  if (text === 'off') return null;
  const value = Number(text);
  if (!/^\d{1,5}$/.test(text) || value > 65535)
    throw new DiagnosticError('W605', `--${option}: "${text}" is not a port`);
  return value;
}

/** `[DEVICE=]FILE` of each firmware; without a device it is that of all others. */
function devicesOf({ device, firmware, key }: EdgeCommandArgs): AttachedDevice[] {
  const images = new Map<string, FirmwareDescription>();
  for (const text of firmware) {
    const [, name = '', file] = /^(?:([a-z][a-z0-9-]*)=)?(.+)$/.exec(text) ?? [];
    if (file === undefined) throw new DiagnosticError('W605', `--firmware: "${text}" is not [DEVICE=]FILE`);
    images.set(name, readFirmware(readInput(file), displayName(file)));
  }
  const privateKey = key === undefined ? null : readPrivateKey(readSecret(key), displayName(key));
  const specs = device.map(parseDeviceSpec);
  for (const name of images.keys())
    if (name !== '' && !specs.some((spec) => spec.name === name))
      throw new DiagnosticError('W605', `--firmware ${name}=: there is no --device of that name`);
  return specs.map((spec) => ({
    ...spec,
    firmware: images.get(spec.name) ?? images.get('') ?? null,
    key: privateKey,
  }));
}
