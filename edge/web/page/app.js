// What the page is at, and what people can do on it. Takes commands from the views, gives one state that they show; draws
// when something has changed, once a frame. Knows the interface of the edge, no markup.
/** @import { MoveEvent, FleetEvent } from '../../fleet/events.js' */
/** @import { Module } from './fleet.js' */
import * as api from './api.js';
import { Fleet, keyOf } from './fleet.js';
import { count, duration, bytes, placeName } from './format.js';
import { follow } from './stream.js';

/** @typedef {{ kind: 'module', key: string } | { kind: 'place', name: string }} Selection */
/** @typedef {{ id: number, tone: 'good' | 'bad' | 'plain', text: string, detail?: readonly string[], action?: { label: string, run: () => void } }} Toast */
/** @typedef {{ label: string, hint?: string, disabled?: boolean, danger?: boolean, run: () => void }} MenuItem */
/** @typedef {{ title: string, groups: { label: string, items: MenuItem[] }[], anchor: HTMLElement }} Menu */
/** @typedef {{ status: number, type: string, body: Uint8Array, milliseconds: number } | { waiting: true } | { error: string }} CallResult */
/** @typedef {{ wasm: File, name: string | null, version: string | null, own: boolean, result: string, tone: 'plain' | 'good' | 'bad', errors: readonly string[] }} DeployFile */
/** @typedef {{ kind: 'deploy', place: string, thing: string, files: DeployFile[], manifest: File | null, busy: boolean }} DeployDialog */
/** @typedef {{ kind: 'confirm', title: string, text: string, label: string, run: () => void }} ConfirmDialog */
/** @typedef {{ kind: 'place', key: string }} PlaceDialog */

export const state = {
  fleet: new Fleet(),
  /** @type {'connecting' | 'live' | 'away' | 'login'} */
  connection: 'connecting',
  /** @type {string | null} */
  user: null,
  loginError: '',
  filter: '',
  /** @type {Selection | null} */
  selection: null,
  /** Details of the selected place, as the edge tells them. @type {Record<string, unknown> | null} */
  placeDetails: null,
  /** Groups and places that have been opened or closed by hand. @type {Map<string, boolean>} */
  open: new Map(),
  /** How many of a long list are shown. @type {Map<string, number>} */
  shown: new Map(),
  logFilter: '',
  /** On small windows the map goes first. */
  logOpen: innerWidth > 720,
  /** Number of lines that there were when it was paused. @type {number | null} */
  logPausedAt: null,
  /** @type {Toast[]} */
  toasts: [],
  /** @type {Menu | null} */
  menu: null,
  /** @type {DeployDialog | ConfirmDialog | PlaceDialog | null} */
  dialog: null,
  /** Answers of services that have been called, by `key path`. @type {Map<string, CallResult>} */
  calls: new Map(),
  /** Modules that have just arrived, to be pointed out. @type {Set<string>} */
  arrived: new Set(),
};

let draw = () => {};
let drawing = false;

/** @param {() => void} how */
export function drawWith(how) {
  draw = how;
}

/** Something has changed. */
export function update() {
  if (drawing) return;
  drawing = true;
  // A page in the background gets no frames, and its timers come late: nothing is drawn that nobody sees.
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

/**
 * Told to those who do not see it.
 * @param {string} text
 * @param {boolean} [urgent]
 */
export function announce(text, urgent = false) {
  const region = document.getElementById(urgent ? 'alerts' : 'status');
  if (region !== null) region.textContent = text;
}

let toastNumber = 0;
const TOAST_MS = 12_000;

/** @param {Omit<Toast, 'id'>} toast */
export function tell(toast) {
  const id = ++toastNumber;
  state.toasts = [...state.toasts.slice(-3), { ...toast, id }];
  // What went wrong stays until it has been read.
  if (toast.tone !== 'bad') setTimeout(() => fade(id), TOAST_MS);
  update();
}

/** Not while somebody is at it. @param {number} id */
function fade(id) {
  const element = document.querySelector(`[data-toast="${id}"]`);
  if (element?.matches(':hover, :focus-within') === true) setTimeout(() => fade(id), TOAST_MS / 4);
  else dismiss(id);
}

/** @param {number} id */
export function dismiss(id) {
  state.toasts = state.toasts.filter((toast) => toast.id !== id);
  update();
}

/** @param {unknown} error */
const textOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * @param {string} what failed
 * @param {unknown} error
 */
function failed(what, error) {
  if (error instanceof api.ApiError && error.status === 401) return needLogin();
  const detail = error instanceof api.ApiError && error.errors.length > 0 ? error.errors : [textOf(error)];
  tell({ tone: 'bad', text: what, detail });
  announce(`${what}: ${detail.join('; ')}`, true);
}

/**
 * @param {FleetEvent} event
 * @param {number} [id]
 */
function onEvent(event, id) {
  const news = state.fleet.apply(event, id);
  update();
  if (!news) return;
  if (event.type === 'move') onMove(event);
  if (event.type === 'fault') announce(`Fault in ${event.module} of ${event.thing}: ${event.reason}`, true);
  if (event.type === 'placement') prune();
  if (event.type === 'place' && event.record === null) announce(`${event.name.replace(':', ' ')} is away`, true);
}

/** Ids of moves that have been announced: uploads tell their progress step by step. @type {Set<string>} */
const begun = new Set();

/** @param {MoveEvent} event */
function onMove(event) {
  const { id, module, thing, from, to, step } = event;
  const route = `from ${placeName(from)} to ${placeName(to)}`;
  if (step === 'done' || step === 'failed') begun.delete(id);
  else if (!begun.has(id)) {
    begun.add(id);
    announce(`Moving ${module} ${route}`);
  }
  if (step === 'failed') {
    const text = `${module} was not moved to ${placeName(to)}. It runs on at ${placeName(from)}.`;
    tell({ tone: 'bad', text, detail: [event.reason ?? 'no reason was given'] });
    announce(`${text} ${event.reason ?? ''}`, true);
  }
  if (step !== 'done') return;
  const pause = event.pauseMs === undefined ? '' : `, paused for ${duration(event.pauseMs)}`;
  const size = event.stateBytes === undefined ? '' : `, ${bytes(event.stateBytes)} of state`;
  const text = `${module} moved ${route}${pause}${size}`;
  tell({ tone: 'good', text, action: { label: 'Move back', run: () => void move(keyOf({ thing, module }), from) } });
  announce(text);
  const key = keyOf(event);
  state.arrived.add(key);
  setTimeout(() => {
    state.arrived.delete(key);
    update();
  }, 2500);
}

/** What is gone is no longer selected. */
function prune() {
  const { selection, fleet } = state;
  if (selection?.kind === 'module' && !fleet.modules.has(selection.key)) state.selection = null;
}

function needLogin() {
  state.connection = 'login';
  state.dialog = null;
  update();
}

/** @type {ReturnType<typeof follow> | null} */
let following = null;

export function start() {
  following = follow({
    async load() {
      state.fleet.load(await api.getFleet());
      prune();
      update();
    },
    event: onEvent,
    live() {
      if (state.connection === 'away') announce('The edge is back');
      state.connection = 'live';
      update();
      api.whoami().then(
        (user) => {
          state.user = user;
          update();
        },
        () => {},
      );
    },
    away() {
      if (state.connection === 'live') announce('The edge does not answer. Trying again.', true);
      state.connection = 'away';
      update();
    },
    login: needLogin,
  });
}

export const reconnect = () => following?.now();

/** @param {string} token */
export async function login(token) {
  state.loginError = '';
  try {
    await api.login(token);
    state.connection = 'connecting';
    following?.now();
  } catch (error) {
    const refused = error instanceof api.ApiError && (error.status === 401 || error.status === 403);
    state.loginError = refused ? 'The edge does not know this token.' : textOf(error);
    announce(state.loginError, true);
  }
  update();
}

export async function logout() {
  await api.logout().catch(() => {});
  location.reload();
}

/**
 * A device runs modules of one thing. What else may be against a move, its place says when it is tried.
 * @param {string} key
 * @param {string} place
 * @returns {string | null} the thing that the place is for, if it is not that of the module
 */
export function unfit(key, place) {
  const module = state.fleet.modules.get(key);
  const record = state.fleet.places.get(place);
  const thing = record?.kind === 'device' ? record.details['thing'] : undefined;
  return typeof thing === 'string' && module !== undefined && thing !== module.thing ? thing : null;
}

/**
 * @param {string} key
 * @param {string} to
 */
export async function move(key, to) {
  const module = state.fleet.modules.get(key);
  if (module === undefined || module.place === to) return;
  try {
    for await (const event of api.move(module.thing, module.module, to)) onEvent({ ...event, type: 'move' });
  } catch (error) {
    failed(`${module.module} was not moved to ${placeName(to)}. It runs on at ${placeName(module.place)}.`, error);
    state.fleet.moves.delete(key);
    update();
  }
}

/**
 * @param {Module} module
 * @param {'start' | 'stop' | 'restart'} action
 */
export async function run(module, action) {
  try {
    await api.run(module.thing, module.module, action);
    const done = { start: 'started', stop: 'stopped', restart: 'restarted' }[action];
    tell({ tone: 'plain', text: `${module.module} of ${module.thing} ${done}` });
    announce(`${module.module} ${done}`);
  } catch (error) {
    failed(`${module.module}: ${action} was refused`, error);
  }
}

/** @param {Module} module */
export function remove(module) {
  state.dialog = {
    kind: 'confirm',
    title: `Remove ${module.module}?`,
    text: `It stops at ${placeName(module.place)} and its state is lost. Callers of ${count(module.services.length, 'service')} get 4.04.`,
    label: 'Remove',
    run: async () => {
      try {
        await api.remove(module.thing, module.module);
        tell({ tone: 'plain', text: `${module.module} of ${module.thing} removed` });
      } catch (error) {
        failed(`${module.module} was not removed`, error);
      }
    },
  };
  update();
}

/** @param {Selection | null} selection */
export function select(selection) {
  state.selection = selection;
  state.placeDetails = null;
  update();
  if (selection?.kind === 'module') {
    const module = state.fleet.modules.get(selection.key);
    if (module === undefined) return;
    api.getFaults(module.thing, module.module).then(
      (faults) => {
        for (const fault of faults) state.fleet.addFault({ ...fault, type: 'fault' });
        update();
      },
      () => {},
    );
  } else if (selection?.kind === 'place') void loadPlace(selection.name);
}

/** @param {string} name */
async function loadPlace(name) {
  const details = await api.getPlace(name).catch(() => null);
  if (state.selection?.kind !== 'place' || state.selection.name !== name) return;
  state.placeDetails = details;
  update();
}

/**
 * @param {Module} module
 * @param {string} path of the service, as in its manifest
 * @param {string} actual the path that is asked for
 */
export async function call(module, path, actual) {
  const id = `${module.key} ${path}`;
  state.calls.set(id, { waiting: true });
  update();
  try {
    state.calls.set(id, await api.callService(module.thing, actual.startsWith('/') ? actual : `/${actual}`));
  } catch (error) {
    state.calls.set(id, { error: textOf(error) });
  }
  update();
}
