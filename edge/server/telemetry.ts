// What the modules of this edge do, as events of the fleet: logs, faults with names and source lines, statistics each
// second. Takes the events of hosts; publishes. Knows no device and no connection.
import type { FleetEvents, ModuleStats } from '../fleet/events.js';
import type { Registry } from '../fleet/types.js';
import type { FaultReport, HostEvent, ModuleStatus } from '../host/types.js';
import type { FaultExplainer } from './faults.js';
import { LineSplitter } from './line-splitter.js';

export interface TelemetryOptions {
  /** `edge:NAME`. */
  readonly place: string;
  readonly registry: Registry;
  readonly events: FleetEvents;
  readonly faults: FaultExplainer;
  /** Modules here, by thing. */
  readonly status: () => Iterable<readonly [thing: string, status: readonly ModuleStatus[]]>;
}

export const STATS_PERIOD_MS = 1_000;

export class Telemetry {
  private readonly lines: LineSplitter;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly options: TelemetryOptions) {
    this.lines = new LineSplitter((sender, text) => {
      const [thing, module] = sender.split('/') as [string, string];
      this.log(thing, module, text);
    });
  }

  start(): void {
    this.timer = setInterval(() => this.publishStats(), STATS_PERIOD_MS);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  hostEvent(thing: string, event: HostEvent): void {
    switch (event.type) {
      case 'log':
        return this.log(thing, event.module, event.text);
      case 'console':
        return this.lines.push(`${thing}/${event.module}`, event.bytes);
      case 'fault':
        return void this.fault(thing, event.fault);
      case 'call':
      case 'state':
        return undefined;
    }
  }

  private log(thing: string, module: string, text: string): void {
    const { events, place } = this.options;
    events.publish({ type: 'log', time: Date.now(), place, thing, module, text });
  }

  private async fault(thing: string, { module, reason, message, backtrace }: FaultReport): Promise<void> {
    const { events, place, registry, faults } = this.options;
    const time = Date.now();
    const hash = registry.placement(thing, module)?.value.hash ?? '';
    const frames = await faults.frames(hash, backtrace);
    events.publish({ type: 'fault', time, place, thing, module, reason, message, backtrace: frames });
  }

  private publishStats(): void {
    const { events, place, status } = this.options;
    const modules = [...status()].flatMap(([thing, list]) =>
      list.map((entry): ModuleStats => {
        const { name: module, state, calls, faults, restarts, latency, memoryBytes, memoryMaxBytes } = entry;
        return {
          thing,
          module,
          state,
          calls,
          faults,
          restarts,
          latency: latency && { median: Math.round(latency.median), worst: Math.round(latency.worst) },
          memoryBytes,
          memoryMaxBytes,
          stackBytes: null,
          stackMaxBytes: null,
        };
      }),
    );
    events.publish({ type: 'stats', time: Date.now(), place, modules });
  }
}
