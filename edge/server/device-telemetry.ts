// What the modules of a device do, as events of the fleet: console lines, statistics each second, faults with names and
// source lines. Takes a device; publishes. Knows no line.
import { decode } from 'cborg';
import type { Device } from '../device/device.js';
import type { DeviceModule } from '../device/device-api.js';
import type { FleetEvents, ModuleStats } from '../fleet/events.js';
import type { Registry } from '../fleet/types.js';
import type { RunState } from '../host/types.js';
import type { BareFrame, FaultExplainer } from './faults.js';
import { LineSplitter } from './line-splitter.js';
import { STATS_PERIOD_MS } from './telemetry.js';

export interface DeviceTelemetryOptions {
  /** `device:NAME`. */
  readonly place: string;
  /** Whose modules it runs. */
  readonly thing: string;
  readonly device: Device;
  readonly registry: Registry;
  readonly events: FleetEvents;
  readonly faults: FaultExplainer;
}

const STATES: readonly RunState[] = ['starting', 'running', 'backing off', 'stopped', 'failed'];

export class DeviceTelemetry {
  private readonly lines: LineSplitter;
  private timer: NodeJS.Timeout | null = null;
  private asking = false;
  /** Faults that each module has had when it was last asked. */
  private readonly faults = new Map<string, number>();

  constructor(private readonly options: DeviceTelemetryOptions) {
    this.lines = new LineSplitter((_device, text) => this.line(text));
  }

  start(): void {
    this.timer ??= setInterval(() => void this.look(), STATS_PERIOD_MS);
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  console(bytes: Uint8Array): void {
    this.lines.push(this.options.place, bytes);
  }

  /** `[module] text` is what the firmware writes for a module's log; everything else is the device's. */
  private line(line: string): void {
    const { place, thing, registry, events } = this.options;
    const [, name, text] = /^\[([a-z][a-z0-9-]*)\] (.*)$/.exec(line) ?? [];
    const known = name !== undefined && registry.placement(thing, name)?.value.place === place;
    const time = Date.now();
    if (known) events.publish({ type: 'log', time, place, thing, module: name, text: text! });
    else events.publish({ type: 'log', time, place, thing: null, module: null, text: line });
  }

  private async look(): Promise<void> {
    const { device, events, place } = this.options;
    // A slow line is not asked twice at a time.
    if (this.asking || !device.isConnected) return;
    this.asking = true;
    try {
      const modules = await device.place.api.modules();
      events.publish({ type: 'stats', time: Date.now(), place, modules: modules.map((entry) => this.stats(entry)) });
      for (const { name, faults } of modules) {
        const before = this.faults.get(name);
        this.faults.set(name, faults);
        if (before !== undefined && faults > before) await this.fault(name);
      }
    } catch {
      // The device says itself when it is away.
    } finally {
      this.asking = false;
    }
  }

  private stats(module: DeviceModule): ModuleStats {
    const { name, state, calls, faults, restarts, memoryBytes, memoryMaxBytes, stackBytes } = module;
    return {
      thing: this.options.thing,
      module: name,
      state: STATES.find((known) => known === state) ?? 'stopped',
      calls,
      faults,
      restarts,
      latency: null,
      memoryBytes,
      memoryMaxBytes,
      stackBytes: null,
      stackMaxBytes: stackBytes,
    };
  }

  private async fault(module: string): Promise<void> {
    const { device, registry, thing, events, faults, place } = this.options;
    const { payload, code } = await device.place.api.get(`/sys/modules/${module}/fault`);
    if (code >> 5 !== 2) return;
    const { reason, message, backtrace } = readFault(decode(payload));
    const hash = registry.placement(thing, module)?.value.hash ?? '';
    const frames = await faults.frames(hash, backtrace);
    const time = Date.now();
    events.publish({ type: 'fault', time, place, thing, module, reason, message, backtrace: frames });
  }
}

/** `{reason, trap, backtrace: [[func, offset]...]}`, innermost first. */
function readFault(value: unknown): { reason: string; message: string; backtrace: BareFrame[] } {
  const { reason, trap, backtrace } = value as { reason?: unknown; trap?: unknown; backtrace?: unknown };
  const list = Array.isArray(backtrace) ? (backtrace as unknown[]) : [];
  const frames = list.flatMap((frame): BareFrame[] => {
    const [func, offset] = Array.isArray(frame) ? (frame as unknown[]) : [];
    return typeof func === 'number' && typeof offset === 'number' ? [{ func, offset }] : [];
  });
  const what = typeof reason === 'string' ? reason : 'fault';
  // The same words as on an edge.
  if (what === 'trap') return { reason: 'trapped', message: typeof trap === 'string' ? trap : what, backtrace: frames };
  return { reason: what, message: what, backtrace: frames };
}
