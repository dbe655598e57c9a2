// One process of the scale run: some edges over NATS with simulated devices, doing what the run asks. Started by fork; knows
// no report.
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { NatsEdge } from '../../test/fleet/nats-edge.js';
import type { PlaceAnswer, PlaceLink, Placement } from '../../edge/fleet/types.js';
import type { ServiceRequest } from '../../edge/host/types.js';
import { signCertificate } from '../../edge/security/certificate.js';
import { PlainEnvelopes, SignedEnvelopes, type Envelopes } from '../../edge/security/envelope.js';
import type {
  Ask,
  Commands,
  EdgeShare,
  LoadOptions,
  LoadResult,
  Memory,
  OpenOptions,
  Probe,
  Reply,
} from './protocol.js';

/** Writes of one edge under way at a time while a fleet starts. */
const WRITERS = 32;
const LOOK_MS = 5;
const PROBE_MS = 50;
const OK = 0x45;
const DAY_MS = 86_400_000;

const now = (): number => performance.timeOrigin + performance.now();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;

/** A device without a line: answers with what it is sent, and knows what it has run. */
class SimulatedDevice implements PlaceLink {
  static readonly runs = new Map<string, number>();
  constructor(readonly name: string) {}
  request(_thing: string, { uri, payload }: ServiceRequest, id: string): Promise<PlaceAnswer> {
    const { runs } = SimulatedDevice;
    runs.set(id, (runs.get(id) ?? 0) + 1);
    if (uri.endsWith('/never')) return new Promise(() => undefined);
    return Promise.resolve({ code: OK, payload });
  }
}

const placement = (device: string, version = '1.0.0', epoch = 1): Placement => {
  const services = ['echo', 'never'].map((path) => ({ method: 2, path, attributes: ';ct="0"', observable: false }));
  return { thing: device, module: 'device', version, hash: '', place: `device:${device}`, epoch, services };
};

function envelopesOf(edge: string, root: string | null): Envelopes {
  if (root === null) return new PlainEnvelopes(edge);
  const by = createPrivateKey(root);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const issued = Date.now();
  const certificate = signCertificate({ edge, key: publicKey, issued, expires: issued + DAY_MS }, by);
  return new SignedEnvelopes({ edge, privateKey, certificate, root: createPublicKey(by) });
}

async function inParallel<T>(list: readonly T[], run: (item: T) => Promise<unknown>): Promise<void> {
  const left = [...list];
  const worker = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await run(item);
  };
  await Promise.all(Array.from({ length: WRITERS }, worker));
}

class EdgeProcess {
  private readonly edges: NatsEdge[] = [];
  private shares: readonly EdgeShare[] = [];
  /** When which edge has seen a version. */
  private readonly versions = new Map<string, number[]>();
  private probing: Promise<Probe[]> | null = null;
  private isProbing = false;

  readonly commands: {
    readonly [K in keyof Commands]: (...args: Parameters<Commands[K]>) => Promise<ReturnType<Commands[K]>>;
  } = {
    open: (options) => this.open(options),
    populate: () => this.populate(),
    converged: (devices) => this.converged(devices),
    change: (device, version) => this.change(device, version),
    seen: async (version) => this.versions.get(version) ?? [],
    load: (options) => this.load(options),
    hang: (device) => Promise.all(this.edges.map((edge) => this.call(edge, device, '/never', 60_000))),
    probe: async (devices) => this.startProbe(devices),
    stop: async () => {
      this.isProbing = false;
      return (await this.probing) ?? [];
    },
    adopt: (devices) => inParallel(devices, (device) => this.attach(pick(this.edges), device)),
    sweep: (devices, stride) => this.sweep(devices, stride),
    memory: async () => this.memory(),
    runs: async () => {
      const counts = [...SimulatedDevice.runs.values()];
      return { all: counts.length, twice: counts.filter((count) => count > 1).length };
    },
    close: async () => {
      await Promise.all(this.edges.map((edge) => edge.close()));
    },
  };

  private async open({ url, prefix, edges, ttlMs, root }: OpenOptions): Promise<void> {
    this.shares = edges;
    for (const { name } of edges) {
      const edge = await NatsEdge.open({ edge: name, servers: url, prefix, ttlMs, envelopes: envelopesOf(name, root) });
      edge.registry.watch((change) => {
        if (change.type !== 'placement' || change.placement === null) return;
        const { version } = change.placement;
        if (version === '1.0.0') return;
        this.versions.set(version, [...(this.versions.get(version) ?? []), now()]);
      });
      this.edges.push(edge);
    }
  }

  private async populate(): Promise<void> {
    await Promise.all(
      this.shares.map(({ devices }, i) =>
        inParallel(devices, async (device) => {
          await this.attach(this.edges[i]!, device);
          await this.edges[i]!.registry.put(placement(device), 0);
        }),
      ),
    );
  }

  private attach(edge: NatsEdge, device: string): Promise<void> {
    return edge.add(new SimulatedDevice(`device:${device}`));
  }

  private async converged(devices: number): Promise<number> {
    const complete = ({ registry }: NatsEdge): boolean =>
      [...registry.places()].length === devices && [...registry.placements()].length === devices;
    let missing = [...this.edges];
    for (;;) {
      missing = missing.filter((edge) => !complete(edge));
      if (missing.length === 0) return now();
      await pause(LOOK_MS * 4);
    }
  }

  private async change(device: string, version: string): Promise<number> {
    const { registry } = this.edges[0]!;
    const stored = registry.placement(device, 'device')!;
    const start = now();
    await registry.put(placement(device, version, stored.value.epoch + 1), stored.revision);
    return start;
  }

  private async call(edge: NatsEdge, device: string, path: string, withinMs: number): Promise<Probe> {
    const start = now();
    const request = { method: 2, uri: path, payload: Buffer.from('21.5'), caller: 'bench', capacity: 64, withinMs };
    const { code } = await edge.router.request(device, request);
    return { start, end: now(), code };
  }

  private async load({ seconds, callers, devices }: LoadOptions): Promise<LoadResult> {
    const until = now() + 1000 * seconds;
    const latencies: number[] = [];
    const failed: Record<string, number> = {};
    const caller = async (edge: NatsEdge): Promise<void> => {
      while (now() < until) {
        const { start, end, code } = await this.call(edge, pick(devices), '/echo', 10_000);
        latencies.push(end - start);
        if (code !== OK) failed[code.toString(16)] = (failed[code.toString(16)] ?? 0) + 1;
      }
    };
    await Promise.all(this.edges.flatMap((edge) => Array.from({ length: callers }, () => caller(edge))));
    return { calls: latencies.length, failed, latencies: Float64Array.from(latencies) };
  }

  private startProbe(devices: readonly string[]): void {
    this.isProbing = true;
    const probe = async (edge: NatsEdge): Promise<Probe[]> => {
      const probes: Promise<Probe>[] = [];
      for (let i = 0; this.isProbing; i++) {
        probes.push(this.call(edge, devices[i % devices.length]!, '/echo', 10_000));
        await pause(PROBE_MS);
      }
      return Promise.all(probes);
    };
    this.probing = Promise.all(this.edges.map(probe)).then((all) => all.flat());
  }

  private async sweep(devices: readonly string[], stride: number): Promise<string[]> {
    const silent: string[] = [];
    for (const edge of this.edges) {
      const number = Number(edge.name.slice(1));
      const share = devices.filter((_device, i) => i % stride === number % stride);
      await inParallel(share, async (device) => {
        if ((await this.call(edge, device, '/echo', 10_000)).code !== OK) silent.push(`${edge.name} ${device}`);
      });
    }
    return silent;
  }

  private memory(): Memory {
    // Only what is in use counts; the run starts processes so that this is there.
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    return { edges: this.edges.length, residentBytes: rss, heapBytes: heapUsed };
  }
}

const edges = new EdgeProcess();
process.on('message', ({ id, name, args }: Ask) => {
  const send = (value: unknown, error: string | null): void => {
    process.send?.({ id, value, error } satisfies Reply);
  };
  (edges.commands[name] as (...given: readonly unknown[]) => Promise<unknown>)(...args).then(
    (value) => send(value, null),
    (error: unknown) => send(null, (error as Error).stack ?? String(error)),
  );
});
// The run is over, or has died.
process.on('disconnect', () => process.exit(0));
