// The scale run: a fleet of simulated devices on many edges in a few processes over a real nats-server; what is measured,
// in which order. Takes sizes; gives numbers. Knows no table.
import { generateKeyPairSync } from 'node:crypto';
import { fork, type ChildProcess } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { NatsServer, natsVersion } from '../../test/fleet/nats-server.js';
import type { Ask, CommandName, Commands, EdgeShare, LoadResult, Probe, Reply } from './protocol.js';

export interface FleetSizes {
  readonly devices: number;
  readonly edges: number;
  /** For the edges that live; one more is for the edge that dies. */
  readonly processes: number;
  readonly seconds: number;
  /** Changes of which the way to all edges is measured. */
  readonly changes: number;
  readonly ttlMs: number;
  /** Are edges enrolled, so that they sign what they say? */
  readonly signed: boolean;
}

export interface Quantiles {
  readonly median: number;
  readonly p99: number;
  readonly worst: number;
}

export interface LoadNumbers extends Quantiles {
  readonly callers: number;
  readonly callsPerSecond: number;
  readonly calls: number;
  readonly failed: number;
}

/** Times in milliseconds. */
export interface FleetNumbers {
  readonly sizes: FleetSizes;
  readonly nats: string;
  readonly processors: string;
  /** Of the machine before the run: others that work on it show here. */
  readonly loadBefore: number;
  /** From nothing until every edge knows every device. */
  readonly coldMs: number;
  /** An edge that starts when all is there, until it knows all. */
  readonly joinMs: number;
  /** From the write of one change until every edge has it. */
  readonly change: Quantiles;
  readonly loads: readonly LoadNumbers[];
  readonly death: {
    /** Requests that were under way there: until they ended, all with 5.04. */
    readonly underWayMs: number;
    /** Until every new call to its devices was answered with 5.03 within 50 ms. */
    readonly failFastMs: number;
    /** From when its devices appear under other edges until each answers every edge. */
    readonly servedMs: number;
  };
  readonly restart: {
    /** How long the server was away. */
    readonly awayMs: number;
    /** Calls while it was away, to devices of the same edge, that failed. */
    readonly localFailed: number;
    /** From when the server was ready again until every call was answered. */
    readonly answeredMs: number;
  };
  readonly memory: { readonly residentBytes: number; readonly heapBytes: number };
  readonly runs: { readonly all: number; readonly twice: number };
  /** Calls in the end, to all devices by several edges, that were not answered. */
  readonly silent: number;
}

const FAST_MS = 50;
const AWAY_MS = 2_000;
const FEW = 20;
const PROBES_MS = 1_000;
/** Calls of each edge in the end: in a large fleet not each calls all. */
const MOST_SWEPT = 2_000;
const OK = 0x45;
const SERVICE_UNAVAILABLE = 0xa3;
const GATEWAY_TIMEOUT = 0xa4;
const PROCESS = fileURLToPath(new URL('./process.ts', import.meta.url));

const now = (): number => performance.timeOrigin + performance.now();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A process of edges, by its commands. */
class Remote {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>();
  private next = 1;

  constructor() {
    this.child = fork(PROCESS, { execArgv: ['--import', 'tsx', '--expose-gc'], serialization: 'advanced' });
    this.child.on('message', ({ id, value, error }: Reply) => {
      const asked = this.waiting.get(id);
      this.waiting.delete(id);
      if (error === null) asked?.resolve(value as never);
      else asked?.reject(new Error(error));
    });
    this.child.on('exit', () => {
      for (const { reject } of this.waiting.values()) reject(new Error('the process has ended'));
    });
  }

  ask<K extends CommandName>(name: K, ...args: Parameters<Commands[K]>): Promise<ReturnType<Commands[K]>> {
    return new Promise((resolve, reject) => {
      const id = this.next++;
      this.waiting.set(id, { resolve, reject });
      this.child.send({ id, name, args } satisfies Ask);
    });
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

export function quantiles(values: Float64Array): Quantiles {
  const sorted = values.slice().sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { median: at(0.5), p99: at(0.99), worst: at(1) };
}

function mergeLoads(callers: number, seconds: number, results: readonly LoadResult[]): LoadNumbers {
  const all = Float64Array.from(results.flatMap(({ latencies }) => [...latencies]));
  const calls = all.length;
  const failed = results.reduce((sum, result) => sum + Object.values(result.failed).reduce((x, y) => x + y, 0), 0);
  return { callers, calls, failed, callsPerSecond: calls / seconds, ...quantiles(all) };
}

class Scenario {
  private readonly server = new NatsServer();
  private readonly processes: Remote[] = [];
  private readonly names: string[];
  private readonly shares: EdgeShare[];
  private readonly root: string | null;

  constructor(
    private readonly sizes: FleetSizes,
    private readonly progress: (text: string) => void,
  ) {
    const { devices, edges, signed } = sizes;
    const root = (): string =>
      generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    this.root = signed ? root() : null;
    this.names = Array.from({ length: devices }, (_, i) => `d${i}`);
    this.shares = Array.from({ length: edges }, (_, edge) => {
      return { name: `e${edge}`, devices: this.names.filter((_name, i) => i % edges === edge) };
    });
  }

  async run(): Promise<FleetNumbers> {
    const { sizes, server } = this;
    const loadBefore = loadavg()[0]!;
    try {
      await server.start();
      const coldMs = await this.cold();
      const joinMs = await this.join();
      const change = await this.changes();
      const loads: LoadNumbers[] = [];
      for (const callers of [1, 16]) loads.push(await this.load(callers));
      const memory = await this.memory();
      const restart = await this.restart();
      const death = await this.death();
      this.progress('each device once more, by several edges');
      const stride = Math.max(1, Math.floor(sizes.devices / MOST_SWEPT));
      const silent = (await this.all((process) => process.ask('sweep', this.names, stride))).flat().length;
      const runs = (await this.all((process) => process.ask('runs'))).reduce((x, y) => ({
        all: x.all + y.all,
        twice: x.twice + y.twice,
      }));
      const processors = `${cpus().length} x ${cpus()[0]!.model}`;
      const nats = natsVersion() ?? '';
      return {
        sizes,
        nats,
        processors,
        loadBefore,
        coldMs,
        joinMs,
        change,
        loads,
        death,
        restart,
        memory,
        runs,
        silent,
      };
    } finally {
      for (const process of this.processes) process.kill();
      await server.remove();
    }
  }

  private all<T>(ask: (process: Remote) => Promise<T>): Promise<T[]> {
    return Promise.all(this.processes.map(ask));
  }

  private openOptions(edges: readonly EdgeShare[]) {
    return { url: this.server.url, prefix: 'scale', edges, ttlMs: this.sizes.ttlMs, root: this.root };
  }

  private async cold(): Promise<number> {
    this.progress('all edges start with all their devices');
    const { processes, devices } = this.sizes;
    const living = this.shares.slice(1);
    const groups = Array.from({ length: processes }, (_, i) => living.filter((_share, at) => at % processes === i));
    // The first is the one that will die: alone in its process.
    for (const group of [[this.shares[0]!], ...groups]) {
      const process = new Remote();
      this.processes.push(process);
      await process.ask('open', this.openOptions(group));
    }
    const start = now();
    const converged = this.all((process) => process.ask('converged', devices));
    await this.all((process) => process.ask('populate'));
    return Math.max(...(await converged)) - start;
  }

  private async join(): Promise<number> {
    this.progress('one more edge starts');
    const process = new Remote();
    try {
      // What the process itself needs to start does not count.
      await process.ask('memory');
      const start = now();
      await process.ask('open', this.openOptions([{ name: 'late', devices: [] }]));
      const end = await process.ask('converged', this.sizes.devices);
      await process.ask('close');
      return end - start;
    } finally {
      process.kill();
    }
  }

  private async changes(): Promise<Quantiles> {
    this.progress('changes to all edges');
    const times = new Float64Array(this.sizes.changes);
    for (let i = 0; i < times.length; i++) {
      const version = `2.0.${i}`;
      const process = this.processes[i % this.processes.length]!;
      const start = await process.ask('change', this.names[i % this.names.length]!, version);
      for (;;) {
        const seen = (await this.all((other) => other.ask('seen', version))).flat();
        if (seen.length >= this.sizes.edges) {
          times[i] = Math.max(...seen) - start;
          break;
        }
        await pause(5);
      }
    }
    return quantiles(times);
  }

  private async load(callers: number): Promise<LoadNumbers> {
    const { seconds } = this.sizes;
    this.progress(`${callers} callers at each edge`);
    const options = { seconds, callers, devices: this.names };
    return mergeLoads(callers, seconds, await this.all((process) => process.ask('load', options)));
  }

  private async memory(): Promise<FleetNumbers['memory']> {
    const all = await this.all((process) => process.ask('memory'));
    const edges = all.reduce((sum, entry) => sum + entry.edges, 0);
    return {
      residentBytes: all.reduce((sum, entry) => sum + entry.residentBytes, 0) / edges,
      heapBytes: all.reduce((sum, entry) => sum + entry.heapBytes, 0) / edges,
    };
  }

  /** Until each of some devices answers each edge; the probes go through all of them. */
  private async answered(processes: readonly Remote[], devices: readonly string[]): Promise<void> {
    const few = devices.filter((_device, i) => i % Math.ceil(devices.length / FEW) === 0);
    for (const process of processes) while ((await process.ask('sweep', few, 1)).length > 0) await pause(20);
    // The probes that began before then end too.
    await pause(PROBES_MS);
  }

  private async restart(): Promise<FleetNumbers['restart']> {
    this.progress('NATS is killed and starts again');
    // Devices of the first process' edge: local there, remote from all others.
    const { devices } = this.shares[0]!;
    await this.all((process) => process.ask('probe', devices));
    await pause(500);
    await this.server.stop('SIGKILL');
    const away = now();
    await pause(AWAY_MS);
    await this.server.start();
    const ready = now();
    await this.answered(this.processes.slice(1), devices);
    const [local, ...remote] = await this.all((process) => process.ask('stop'));
    return {
      awayMs: ready - away,
      localFailed: local!.filter(({ code }) => code !== OK).length,
      answeredMs: Math.max(0, lastEnd(remote.flat(), ({ code }) => code !== OK) - ready),
    };
  }

  private async death(): Promise<FleetNumbers['death']> {
    this.progress('an edge dies');
    const [dying, ...others] = this.processes;
    const { devices } = this.shares[0]!;
    this.processes.splice(0, 1);
    const hanging = Promise.all(others.map((process) => process.ask('hang', devices[0]!)));
    await Promise.all(others.map((process) => process.ask('probe', devices)));
    await pause(500);
    dying!.kill();
    const killed = now();
    const ended = (await hanging).flat();
    if (ended.some(({ code }) => code !== GATEWAY_TIMEOUT)) throw new Error('a request at a dead edge was answered');
    // Until calls have failed fast for a while.
    await pause(this.sizes.ttlMs + 5_000);
    const probes = (await this.all((process) => process.ask('stop'))).flat();
    const slow = ({ start, end, code }: Probe): boolean => end - start > FAST_MS || code !== SERVICE_UNAVAILABLE;
    const failFast = lastStart(probes, slow);
    this.progress('its devices appear under other edges');
    const appear = now();
    await this.all((process) => process.ask('probe', devices));
    await Promise.all(
      others.map((process, i) =>
        process.ask(
          'adopt',
          devices.filter((_device, at) => at % others.length === i),
        ),
      ),
    );
    await this.answered(others, devices);
    const after = (await this.all((process) => process.ask('stop'))).flat();
    return {
      underWayMs: lastEnd(ended, () => true) - killed,
      failFastMs: Math.max(0, failFast - killed),
      servedMs: Math.max(0, lastEnd(after, ({ code }) => code !== OK) - appear),
    };
  }
}

const latest = (probes: readonly Probe[], which: (probe: Probe) => boolean, time: 'start' | 'end'): number =>
  probes.reduce((last, probe) => (which(probe) ? Math.max(last, probe[time]) : last), 0);
const lastEnd = (probes: readonly Probe[], which: (probe: Probe) => boolean): number => latest(probes, which, 'end');
const lastStart = (probes: readonly Probe[], which: (probe: Probe) => boolean): number =>
  latest(probes, which, 'start');

export function measureFleet(sizes: FleetSizes, progress: (text: string) => void): Promise<FleetNumbers> {
  return new Scenario(sizes, progress).run();
}
