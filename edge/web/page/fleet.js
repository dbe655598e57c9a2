// The fleet as the page knows it. Takes the answer of /api/fleet and events; gives places, modules with their short
// history, moves, faults, logs. Knows no DOM and no network, so that it can be tested without a browser.
/** @import { FleetEvent, FaultEvent, LogEvent, MoveEvent, ModuleStats, StatsEvent } from '../../fleet/events.js' */
/** @import { Placement, PlaceRecord } from '../../fleet/types.js' */
/** @import { FleetAnswer, FleetModule, Service } from './api.js' */

/** Seconds that the small curves show. */
export const HISTORY = 60;
const MAX_LOGS = 2000;
const SILENT_MOVER_MS = 15_000;
const MAX_FAULTS = 50;

/**
 * @typedef {object} Module
 * @property {string} key `thing.module`
 * @property {string} thing
 * @property {string} module
 * @property {string} version
 * @property {string} hash
 * @property {string} place
 * @property {number} epoch
 * @property {Service[]} services
 * @property {ModuleStats | null} stats
 * @property {number} measured time of the stats, by the clock of their place
 * @property {number | null} rate calls in a second
 * @property {(number | null)[]} rates the last ones, null: not known
 * @property {(number | null)[]} latencies medians in microseconds, null: no calls
 */

/** @typedef {(LogEvent | FaultEvent) & { id: number }} LogLine */

const METHODS = ['', 'GET', 'POST', 'PUT', 'DELETE'];

/** @param {Service} service */
export const methodName = ({ method }) => (typeof method === 'number' ? (METHODS[method] ?? String(method)) : method);

/** @param {{ thing: string, module: string }} of */
export const keyOf = ({ thing, module }) => `${thing}.${module}`;

export class Fleet {
  edge = '';
  /** @type {Map<string, PlaceRecord>} */
  places = new Map();
  /** @type {Map<string, Module>} */
  modules = new Map();
  /** Moves under way, by the module's key. @type {Map<string, MoveEvent>} */
  moves = new Map();
  /** Newest first, by the module's key. @type {Map<string, FaultEvent[]>} */
  faults = new Map();
  /** @type {LogLine[]} */
  logs = [];
  /** Lines that came, those that have been forgotten too. */
  logged = 0;
  /** Id of the last event that `load` includes: what has no greater one is only of interest as history. */
  loadedTo = 0;
  /** Ids of moves that are over: their stragglers must not begin them again. @type {Set<string>} */
  over = new Set();

  /** @param {FleetAnswer} answer */
  load({ edge, lastEvent, places, modules }) {
    this.edge = edge;
    this.loadedTo = lastEvent;
    this.places = new Map(places.map((place) => [place.name, place]));
    const before = this.modules;
    this.modules = new Map();
    this.moves.clear();
    for (const entry of modules) {
      const key = keyOf(entry);
      const module = this.#module(entry, before.get(key));
      if (entry.stats !== null && module.stats === null) module.stats = entry.stats;
      this.modules.set(key, module);
      this.#claim(key, entry);
    }
  }

  /**
   * @param {FleetEvent} event
   * @param {number} [id] in the edge's sequence; without one it is new
   * @returns {boolean} whether it is news: false for what was before `load`, and for repetitions
   */
  apply(event, id = Infinity) {
    const old = id <= this.loadedTo;
    switch (event.type) {
      case 'log':
        this.#log(event);
        return !old;
      case 'fault':
        return this.addFault(event) && !old;
      case 'stats':
        this.#stats(event);
        return !old;
      case 'move':
        return !old && this.#move(event);
      case 'placement':
        if (old) return false;
        if (event.placement === null) {
          this.modules.delete(event.key);
          this.moves.delete(event.key);
        } else {
          const key = keyOf(event.placement);
          this.modules.set(key, this.#module(event.placement, this.modules.get(key)));
          this.#claim(key, event.placement);
        }
        return true;
      case 'place':
        if (old) return false;
        if (event.record === null) this.places.delete(event.name);
        else this.places.set(event.name, event.record);
        return true;
    }
  }

  /**
   * @param {FaultEvent} fault
   * @returns {boolean} false: it is known
   */
  addFault(fault) {
    const key = keyOf(fault);
    const list = this.faults.get(key) ?? [];
    if (list.some(({ time, message }) => time === fault.time && message === fault.message)) return false;
    list.push(fault);
    list.sort((a, b) => b.time - a.time);
    this.faults.set(key, list.slice(0, MAX_FAULTS));
    this.#log(fault);
    return true;
  }

  /** @param {LogEvent | FaultEvent} event */
  #log(event) {
    this.logs.push({ ...event, id: this.logged++ });
    // What comes late from history, a fault that was asked for, belongs where it happened.
    const last = this.logs.at(-2);
    if (last !== undefined && last.time > event.time) this.logs.sort((a, b) => a.time - b.time);
    if (this.logs.length > MAX_LOGS) this.logs.splice(0, MAX_LOGS / 10);
  }

  /** @param {StatsEvent} event */
  #stats(event) {
    for (const stats of event.modules) {
      const module = this.modules.get(keyOf(stats));
      const move = this.moves.get(keyOf(stats));
      // It runs there, and whoever moved it says nothing more.
      if (move?.to === event.place && module?.place === move.to && event.time - move.time > SILENT_MOVER_MS)
        this.moves.delete(keyOf(stats));
      if (module === undefined || module.place !== event.place || event.time <= module.measured) continue;
      const seconds = (event.time - module.measured) / 1000;
      const calls = stats.calls - (module.stats?.calls ?? stats.calls);
      // A counter that is less than before has begun again.
      const fresh = module.measured === 0 || calls < 0 || seconds > 10;
      module.rate = fresh ? null : calls / seconds;
      push(module.rates, module.rate);
      push(module.latencies, stats.latency?.median ?? null);
      module.stats = stats;
      module.measured = event.time;
    }
  }

  /** @param {MoveEvent} event */
  #move(event) {
    const key = keyOf(event);
    if (this.over.has(event.id)) return false;
    if (event.step !== 'done' && event.step !== 'failed') {
      const before = this.moves.get(key);
      if (before?.id === event.id && before.progress > event.progress) return false;
      this.moves.set(key, event);
      return before?.id !== event.id || before.step !== event.step || before.progress !== event.progress;
    }
    this.over.add(event.id);
    this.moves.delete(key);
    const module = this.modules.get(key);
    if (event.step === 'done' && module !== undefined && module.place !== event.to)
      this.modules.set(key, this.#module({ ...module, place: event.to }, module));
    return true;
  }

  /**
   * Moves that the registry knows of: one that has begun before the page was there, or whose mover has died.
   * @param {string} key
   * @param {Pick<Placement, 'thing' | 'module' | 'place' | 'moving'>} placement
   */
  #claim(key, { thing, module, place, moving }) {
    const known = this.moves.get(key);
    if (moving !== undefined && known === undefined) {
      const base = { type: /** @type {const} */ ('move'), time: moving.since, id: '', place, thing, module };
      this.moves.set(key, { ...base, from: place, to: moving.to, step: 'prepare', progress: 0.1 });
    } else if (moving === undefined && known !== undefined && (known.id === '' || known.from === place)) {
      this.moves.delete(key);
    }
  }

  /**
   * @param {Omit<FleetModule, 'stats' | 'services'> & { services: readonly Service[] }} entry
   * @param {Module | undefined} before
   * @returns {Module}
   */
  #module({ thing, module, version, hash, place, epoch, services }, before) {
    const same = before !== undefined && before.place === place;
    return {
      key: keyOf({ thing, module }),
      ...{ thing, module, version, hash, place, epoch, services: [...services] },
      stats: before?.stats ?? null,
      measured: same ? before.measured : 0,
      rate: before?.rate ?? null,
      rates: before?.rates ?? [],
      latencies: before?.latencies ?? [],
    };
  }
}

/**
 * @template T
 * @param {T[]} list
 * @param {T} value
 */
function push(list, value) {
  list.push(value);
  if (list.length > HISTORY) list.shift();
}
