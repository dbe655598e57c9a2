// Moves of modules, as events of the fleet. Takes places and the registry; at most one move of a module at a time. Knows
// no kind of place and no connection.
import { randomUUID } from 'node:crypto';
import type { FleetEvents, MoveEvent } from '../fleet/events.js';
import { messageOf } from '../fleet/message-of.js';
import { migrate } from '../fleet/migrate.js';
import type { PackageStore } from '../fleet/packages.js';
import type { Registry } from '../fleet/types.js';
import { HttpError } from './http-error.js';
import type { Modules } from './modules.js';

export interface MovesOptions {
  readonly registry: Registry;
  readonly packages: PackageStore;
  readonly events: FleetEvents;
  readonly modules: Modules;
}

export class Moves {
  private readonly running = new Set<Promise<void>>();

  constructor(private readonly options: MovesOptions) {}

  /**
   * Starts a move; `onEvent` gets its steps, the last one is `done` or `failed`. It goes on whoever listens.
   * @throws HttpError if it cannot even begin: 404 module or place, 409 it is there already or being changed
   */
  async start(thing: string, module: string, to: string, onEvent: (event: MoveEvent) => void): Promise<void> {
    const { packages, modules } = this.options;
    const { value } = modules.find(thing, module);
    const target = modules.placeOf(to);
    const from = modules.placeOf(value.place);
    if (from.name === to) throw new HttpError(409, `${module} of ${thing} is at ${to} already`);
    const wasm = await packages.get(value.hash);
    if (wasm === null) throw new HttpError(409, `${module} of ${thing} is part of the image of ${from.name}: it stays`);
    const base = { type: 'move', id: randomUUID(), thing, module, from: from.name, to, place: from.name } as const;
    let last = 0;
    const tell = (event: Pick<MoveEvent, 'step' | 'progress'> & Partial<MoveEvent>): void => {
      last = event.progress;
      const whole: MoveEvent = { ...base, time: Date.now(), ...event };
      onEvent(whole);
      this.options.events.publish(whole);
    };
    // The lock is taken at once, so that a second request is refused and not told of the first.
    const move = modules.exclusive(thing, module, async () => {
      try {
        const { registry } = this.options;
        const onStep: Parameters<typeof migrate>[0]['onStep'] = (step, progress) => {
          if (step !== 'done') tell({ step, progress });
        };
        const report = await migrate({ registry, from, to: target, input: { thing, wasm }, onStep });
        tell({ step: 'done', progress: 1, pauseMs: report.pauseMs, stateBytes: report.stateBytes });
      } catch (error) {
        tell({ step: 'failed', progress: last, reason: messageOf(error) });
      }
    });
    this.running.add(move);
    try {
      await move;
    } finally {
      this.running.delete(move);
    }
  }

  /** Until no move is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.running);
  }
}
