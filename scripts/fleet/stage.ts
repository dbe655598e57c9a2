// The fleet of the example on this machine: two simulated boards and two edges, with a NATS server between them if there is
// one. Takes nothing but a built clone; gives the edges' URLs. Knows no tour.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDeviceSpec } from '../../edge/device/streams.js';
import { EdgeServer } from '../../edge/server/edge-server.js';
import { SharedFleet } from '../../edge/server/shared-fleet.js';
import { eventLine } from '../../cli/thingspire/event-line.js';
import { readFirmware } from '../../manifest/firmware.js';
import { readPrivateKey } from '../../manifest/keys.js';
import { Processes } from './processes.js';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const out = join(root, 'build/fleet');
const WASM_AOT = join(root, 'bin/wasm-aot.js');
const THINGSPIRE = join(root, 'bin/thingspire.js');
const KEY = join(out, 'key.pem');

/** Edge -> the device that hangs on it; each runs examples/fleet/DEVICE.json. */
const DEVICES = { house: 'porch', office: 'attic' } as const;
export type EdgeName = keyof typeof DEVICES;
export const EDGES = Object.keys(DEVICES) as EdgeName[];
export const THING = 'weather-station';

export interface Stage {
  readonly urls: Readonly<Record<EdgeName, string>>;
  /** What is between the edges, for people. */
  readonly between: string;
  end(): Promise<void>;
}

export interface StageOptions {
  /** Ports of the edges' HTTP sides; 0: any free one. */
  readonly ports: Readonly<Record<EdgeName, number>>;
  readonly say: (text: string) => void;
  readonly onLine: (name: string, line: string) => void;
}

export async function openStage({ ports, say, onLine }: StageOptions): Promise<Stage> {
  const processes = new Processes(onLine);
  try {
    buildImages();
    const boards = Object.fromEntries(
      await Promise.all(Object.values(DEVICES).map(async (name) => [name, await startBoard(processes, name)] as const)),
    );
    const started = hasNats()
      ? await startProcesses(processes, boards, ports, say)
      : await startTogether(boards, ports, onLine);
    return {
      ...started,
      end: async () => {
        await started.end();
        await processes.end();
      },
    };
  } catch (error) {
    await processes.end();
    throw error;
  }
}

function run(...args: string[]): void {
  const { status, stderr } = spawnSync(process.execPath, [WASM_AOT, ...args], { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`wasm-aot ${args.join(' ')}\n${stderr}`);
}

function buildImages(): void {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  run('keygen', join(out, 'key'));
  for (const name of Object.values(DEVICES)) {
    const manifest = join(root, 'examples/fleet', `${name}.json`);
    run('build', manifest, '-o', join(out, `${name}.bin`), '--elf', join(out, `${name}.elf`), '--quiet');
  }
}

/** @returns its serial line's port */
async function startBoard(processes: Processes, name: string): Promise<number> {
  const args = [WASM_AOT, 'simulate', join(out, `${name}.bin`), '--serial', '--port', '0'];
  const [, port] = await processes.start(name, process.execPath, args, /UART0 on tcp:127\.0\.0\.1:(\d+)/);
  return Number(port);
}

const specOf = (edge: EdgeName, boards: Readonly<Record<string, number>>): string =>
  `${DEVICES[edge]}@${THING}=tcp:127.0.0.1:${boards[DEVICES[edge]]}`;

const hasNats = (): boolean => spawnSync('nats-server', ['--version'], { stdio: 'ignore' }).status === 0;

/** As on several machines: a NATS server, and each edge a process of its own. */
async function startProcesses(
  processes: Processes,
  boards: Readonly<Record<string, number>>,
  ports: StageOptions['ports'],
  say: StageOptions['say'],
): Promise<Stage> {
  const natsPort = await freePort();
  const nats = `nats://127.0.0.1:${natsPort}`;
  const store = join(out, 'nats');
  await processes.start(
    'nats-server',
    'nats-server',
    ['-a', '127.0.0.1', '-p', String(natsPort), '-js', '-sd', store],
    /Server is ready/,
  );
  const urls: Partial<Record<EdgeName, string>> = {};
  for (const name of EDGES) {
    const device = DEVICES[name];
    const args = [
      ...['edge', '--name', name, '--http', String(ports[name]), '--coap', 'off', '--nats', nats],
      ...['--data', join(out, name), '--device', specOf(name, boards)],
      ...['--firmware', join(out, `${device}.elf`), '--key', KEY],
    ];
    say(`$ npx thingspire ${args.map((arg) => arg.replace(`${root}/`, '')).join(' ')}`);
    const [url] = await processes.start(name, process.execPath, [THINGSPIRE, ...args], /^http:\/\/127\.0\.0\.1:\d+/);
    urls[name] = url;
  }
  return { urls: urls as Stage['urls'], between: `NATS at ${nats}, each edge a process`, end: async () => undefined };
}

/** Without NATS: both edges in this process. */
async function startTogether(
  boards: Readonly<Record<string, number>>,
  ports: StageOptions['ports'],
  onLine: StageOptions['onLine'],
): Promise<Stage> {
  const fleet = new SharedFleet();
  const servers = EDGES.map((name) => {
    const options = { name, dataDirectory: join(out, name), httpPort: ports[name], coapPort: null };
    return [name, new EdgeServer({ ...options, fleet: fleet.member() })] as const;
  });
  // Events reach all edges of the fleet: one tells them.
  servers[0]![1].log.watch(({ event }) => {
    if (event.type === 'fault') onLine(event.place, eventLine(event));
  });
  for (const [name, server] of servers) {
    await server.start();
    const file = join(out, `${DEVICES[name]}.elf`);
    const firmware = readFirmware(readFileSync(file), file);
    server.attach({ ...parseDeviceSpec(specOf(name, boards)), firmware, key: readPrivateKey(readFileSync(KEY), KEY) });
  }
  return {
    urls: Object.fromEntries(servers.map(([name, { url }]) => [name, url!])) as Stage['urls'],
    between: 'no nats-server on this machine, so both edges share one process',
    end: async () => {
      for (const [, server] of servers) await server.close();
    },
  };
}

/** A port that is free now. */
export function freePort(wanted = 0): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(freePort()));
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
