// Moves a module with its state from one place to another while callers go on calling. Takes places and the registry;
// reports each step. Knows no kind of place.
//
// The registry's compare-and-swap is the one moment of the move: before it the module belongs to where it was, after it to
// where it goes. Whatever fails before is undone and the module goes on where it was; whatever fails after is repeated
// until it is done, by `recover` also after the mover itself has died.
//
//   prepare target · copy what is there already · freeze source (calls wait) · [commit] · activate target · discard source (waiting calls go there)
import type { ModuleState } from '../host/types.js';
import {
  Unsettled,
  type ModulePackage,
  type ModulePlace,
  type Placement,
  type Places,
  type Registry,
  type Residence,
  type Stored,
} from './types.js';
import { encodeState } from '../nats/state-codec.js';
import { modelOfPackage, serviceEntries } from './edge-place.js';
import { messageOf } from './message-of.js';

export type MigrationStep = 'prepare' | 'precopy' | 'freeze' | 'commit' | 'activate' | 'discard' | 'done';

const PROGRESS: Readonly<Record<MigrationStep, number>> = {
  prepare: 0.1,
  precopy: 0.4,
  freeze: 0.5,
  commit: 0.7,
  activate: 0.8,
  discard: 0.9,
  done: 1,
};

export interface MigrationOptions {
  readonly registry: Registry;
  readonly from: ModulePlace;
  readonly to: ModulePlace;
  readonly input: ModulePackage;
  readonly onStep?: (step: MigrationStep, progress: number) => void;
  /** Attempts at each step behind the commit, one after the other with a pause that doubles. */
  readonly attempts?: number;
  readonly retryMs?: number;
}

export interface MigrationReport {
  readonly placement: Placement;
  /** Milliseconds from the freeze until the module ran again: what callers could notice. */
  readonly pauseMs: number;
  /** Of the state: pages of memory that are not zero, globals, tables, timers, subscriptions. */
  readonly stateBytes: number;
}

/** A move that did not happen: the module runs where it was. */
export class MigrationRefused extends Error {
  constructor(
    readonly step: MigrationStep,
    reason: string,
  ) {
    super(`${step}: ${reason}`);
  }
}

const DEFAULT_ATTEMPTS = 6;
const DEFAULT_RETRY_MS = 100;
const MOST_RETRY_MS = 5000;
/** A move that has begun so long ago is over or has died. Clocks of edges may differ by some of it. */
const CLAIM_MS = 5 * 60_000;
/** How long a place that may have started the module is asked again. */
const UNSETTLED_MS = 60_000;

/**
 * @throws MigrationRefused if it could not be done; then the module runs on at `from`
 * @throws Unsettled if `to` does not answer any more after it was told to start; then the module is recorded there
 */
export async function migrate(options: MigrationOptions): Promise<MigrationReport> {
  const { registry, from, to, input } = options;
  const step = (name: MigrationStep): void => options.onStep?.(name, PROGRESS[name]);
  const model = modelOfPackage(input);
  const { thing } = input;
  const { name: module } = model;
  const stored = registry.placement(thing, module);
  if (stored === null || stored.value.place !== from.name)
    throw new MigrationRefused('prepare', `${module} of ${thing} is not at ${from.name}`);
  if (from.name === to.name) throw new MigrationRefused('prepare', `it is at ${to.name} already`);
  const { moving, ...settled } = stored.value;
  if (moving !== undefined && Date.now() - moving.since < CLAIM_MS)
    throw new MigrationRefused('prepare', `somebody else is moving it to ${moving.to}`);
  const epoch = settled.epoch + 1;
  const placement: Placement = { ...settled, place: to.name, epoch, services: serviceEntries(model) };

  step('prepare');
  const claimed = await claim(registry, settled, to.name, stored.revision);
  const unclaim = async (): Promise<void> => void (await registry.put(settled, claimed));
  try {
    // An upload to a device takes most of the time of the whole move.
    const span = PROGRESS.precopy - PROGRESS.prepare;
    await to.prepare(input, epoch, (fraction) => options.onStep?.('prepare', PROGRESS.prepare + span * fraction));
  } catch (error) {
    throw await undone('prepare', error, () => to.discard(thing, module), unclaim);
  }

  step('precopy');
  try {
    // Nothing depends on it: what is not there yet when the module is frozen travels then.
    const early = to.preload === undefined ? null : await precopied(from, thing, module);
    if (early !== null) await to.preload!(thing, module, early);
    else if (to.preload === undefined) await from.precopy?.(thing, module);
  } catch {
    // The steps that follow find out whether the place is still there.
  }

  step('freeze');
  const frozenAt = performance.now();
  let state: ModuleState;
  try {
    state = await from.freeze(thing, module);
  } catch (error) {
    throw await undone('freeze', error, () => to.discard(thing, module), unclaim);
  }

  step('commit');
  let revision: number | null;
  try {
    revision = await registry.put(placement, claimed);
  } catch (error) {
    // The write may have arrived although its answer has not: what the registry says now counts.
    const now = registry.placement(thing, module);
    if (now?.value.place !== to.name || now.value.epoch !== epoch)
      throw await undone(
        'commit',
        error,
        () => from.release(thing, module),
        () => to.discard(thing, module),
        unclaim,
      );
    ({ revision } = now);
  }
  if (revision === null) {
    const reason = new Error('somebody else has moved it');
    throw await undone(
      'commit',
      reason,
      () => from.release(thing, module),
      () => to.discard(thing, module),
    );
  }

  step('activate');
  try {
    await repeat(options, () => to.activate(thing, module, epoch, state));
  } catch (error) {
    // Perhaps it runs there. It stays frozen here, and where the registry says: `recover` settles it when that place is back.
    if (error instanceof Unsettled) throw error;
    // The state is still here: it goes back where it came from, under a newer epoch.
    const back: Placement = { ...placement, place: from.name, epoch: epoch + 1, services: stored.value.services };
    if ((await registry.put(back, revision)) === null) throw error;
    throw await undone(
      'activate',
      error,
      () => from.release(thing, module),
      () => to.discard(thing, module),
    );
  }
  const pauseMs = performance.now() - frozenAt;

  step('discard');
  await repeat(options, () => from.discard(thing, module));
  step('done');
  return { placement, pauseMs, stateBytes: encodeState(state).length };
}

/** Nobody else moves the module from here on. Gives the revision. @throws MigrationRefused */
async function claim(registry: Registry, settled: Placement, to: string, expected: number): Promise<number> {
  let revision: number | null;
  try {
    revision = await registry.put({ ...settled, moving: { to, since: Date.now() } }, expected);
  } catch (error) {
    throw new MigrationRefused('prepare', messageOf(error));
  }
  if (revision === null) throw new MigrationRefused('prepare', 'somebody else is moving it');
  return revision;
}

/** For a place that cannot give a state while the module runs, one that stops it for a moment. */
async function precopied(from: ModulePlace, thing: string, module: string): Promise<ModuleState | null> {
  if (from.precopy !== undefined) return from.precopy(thing, module);
  const state = await from.freeze(thing, module);
  await from.release(thing, module);
  return state;
}

/** Runs every step back, whatever the others do, and gives the error to throw. */
async function undone(
  step: MigrationStep,
  error: unknown,
  ...back: (() => Promise<void>)[]
): Promise<MigrationRefused> {
  for (const run of back) {
    try {
      await run();
    } catch {
      // The place is gone: what it has is settled by `recover` when it comes back.
    }
  }
  return new MigrationRefused(step, messageOf(error));
}

async function repeat(
  { attempts = DEFAULT_ATTEMPTS, retryMs = DEFAULT_RETRY_MS }: MigrationOptions,
  run: () => Promise<void>,
): Promise<void> {
  let unsettledSince: number | null = null;
  for (let attempt = 1; ; attempt++) {
    try {
      await run();
      return;
    } catch (error) {
      if (error instanceof Unsettled) unsettledSince ??= performance.now();
      // Once it may run there, a later attempt that does not reach the place does not say that it does not.
      const patient = unsettledSince !== null && performance.now() - unsettledSince < UNSETTLED_MS;
      if (attempt >= attempts && !patient)
        throw unsettledSince === null || error instanceof Unsettled ? error : new Unsettled(messageOf(error));
      await new Promise((resolve) => setTimeout(resolve, Math.min(MOST_RETRY_MS, retryMs * 2 ** (attempt - 1))));
    }
  }
}

/**
 * Settles what a place has against what the registry says: what belongs elsewhere is taken away, what a dead mover has left
 * goes on at exactly one place. What a living one has is its own. Gives what was done, for the log.
 * @param places where the places are that a frozen module may run at; without it frozen modules keep waiting
 */
export async function recover(place: ModulePlace, registry: Registry, places: Places | null = null): Promise<string[]> {
  const done: string[] = [];
  const residences = await place.modules();
  for (const residence of residences) {
    const { thing, module } = residence;
    const stored = registry.placement(thing, module);
    if (stored === null) continue;
    // What comes after a module's state is prepared beside what may be left of an earlier stay.
    const awaited = residences.some(
      (other) =>
        other.thing === thing &&
        other.module === module &&
        other.held === 'prepared' &&
        other.epoch === stored.value.epoch,
    );
    const what =
      stored.value.place === place.name
        ? await settleHere(place, residence, stored.value, awaited)
        : await settleElsewhere(place, residence, stored, registry, places);
    if (what !== null) done.push(`${module} of ${thing} ${what}`);
  }
  return done;
}

/** The registry says that it is here. */
async function settleHere(
  place: ModulePlace,
  { thing, module, epoch, state, held, abandoned }: Residence,
  value: Placement,
  awaited: boolean,
): Promise<string | null> {
  if (held === undefined) {
    // A device says that one is stopped and not who has stopped it.
    if (place.kind !== 'device' || state !== 'stopped') return null;
    await place.release(thing, module);
    return 'belongs here: goes on';
  }
  if (abandoned !== true) return null;
  if (held === 'prepared') {
    if (epoch === value.epoch) {
      await place.activate(thing, module, epoch, null);
      return 'belongs here and nobody has brought its state: starts from the beginning';
    }
    await place.discard(thing, module);
    return 'was never started here: taken away';
  }
  if (awaited) return null;
  await place.release(thing, module);
  return 'belongs here: goes on';
}

/** The registry says that it is elsewhere. */
async function settleElsewhere(
  place: ModulePlace,
  { thing, module, held, abandoned }: Residence,
  { value, revision }: Stored<Placement>,
  registry: Registry,
  places: Places | null,
): Promise<string | null> {
  if (held === 'prepared' && abandoned !== true) return null;
  if (held !== 'frozen') {
    await place.discard(thing, module);
    return `runs at ${value.place}: taken away`;
  }
  const target = places?.find(value.place) ?? null;
  if (target === null) return null;
  let there: Residence | undefined;
  try {
    there = (await target.modules()).find(
      (entry) => entry.thing === thing && entry.module === module && entry.epoch >= value.epoch,
    );
  } catch {
    // It is away: nobody knows whether the module runs there.
    return null;
  }
  const stands = there !== undefined && (target.kind !== 'device' || there.state !== 'stopped');
  if (stands && there!.held === undefined) {
    await place.discard(thing, module);
    return `runs at ${value.place}: taken away`;
  }
  // A device that says nothing of it may be starting it.
  if (abandoned !== true || (there === undefined && target.kind === 'device')) return null;
  try {
    // From here on it cannot be started there any more.
    await target.discard(thing, module);
    const { moving: _, ...settled } = value;
    const back = { ...settled, place: place.name, epoch: value.epoch + 1 };
    if ((await registry.put(back, revision)) === null) return null;
  } catch {
    return null;
  }
  await place.release(thing, module);
  return `was on its way to ${value.place} when its mover died: goes on here`;
}
