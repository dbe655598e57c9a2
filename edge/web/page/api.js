// Talks to the HTTP interface of the edge that served this page. Takes names and bytes, gives its JSON; throws ApiError.
// Knows nothing of what is shown.
/** @import { MoveEvent, ModuleStats, FaultEvent } from '../../fleet/events.js' */
/** @import { Placement, PlaceRecord } from '../../fleet/types.js' */

/** @typedef {{ method: string | number, path: string, observable?: boolean }} Service */
/** @typedef {Omit<Placement, 'services'> & { services: Service[], stats: ModuleStats | null }} FleetModule */
/** @typedef {{ edge: string, lastEvent: number, places: PlaceRecord[], modules: FleetModule[] }} FleetAnswer */

export class ApiError extends Error {
  /**
   * @param {number} status of HTTP; 0: the edge did not answer
   * @param {string} message
   * @param {readonly string[]} [errors] of the compiler, each with its number
   */
  constructor(status, message, errors = []) {
    super(message);
    this.status = status;
    this.errors = errors;
  }
}

/**
 * @param {string} path relative to the page, so that an edge behind a prefix works
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 * @throws {ApiError}
 */
async function send(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: 'same-origin', cache: 'no-store', ...options });
  } catch {
    throw new ApiError(0, 'the edge does not answer');
  }
  if (response.ok) return response;
  const text = await response.text().catch(() => '');
  throw errorOf(response.status, text);
}

/**
 * @param {number} status
 * @param {string} text
 */
function errorOf(status, text) {
  /** @type {{ message?: unknown, errors?: unknown }} */
  let body = {};
  try {
    body = Object(JSON.parse(text));
  } catch {
    body = {};
  }
  const errors = Array.isArray(body.errors) ? body.errors.map((entry) => messageOf(entry)) : [];
  const message =
    typeof body.message === 'string' && body.message !== '' ? body.message : (errors[0] ?? `HTTP ${status}`);
  return new ApiError(status, message, errors);
}

/** @param {unknown} entry */
const messageOf = (entry) =>
  typeof entry === 'object' && entry !== null && 'message' in entry ? String(entry.message) : String(entry);

/**
 * @param {string} method
 * @param {unknown} body
 * @returns {RequestInit}
 */
const json = (method, body) => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

/**
 * @param {string} thing
 * @param {string} module
 */
const moduleUrl = (thing, module) => `api/things/${encodeURIComponent(thing)}/modules/${encodeURIComponent(module)}`;

/** @returns {Promise<FleetAnswer>} */
export const getFleet = async () => (await send('api/fleet')).json();

/** @param {string} place */
export const getPlace = async (place) => (await send(`api/places/${encodeURIComponent(place)}`)).json();

/**
 * @param {string} thing
 * @param {string} module
 * @returns {Promise<FaultEvent[]>}
 */
export async function getFaults(thing, module) {
  const path = `api/modules/${encodeURIComponent(thing)}/${encodeURIComponent(module)}/faults`;
  const answer = await (await send(path)).json();
  return Array.isArray(answer) ? answer : (answer.faults ?? []);
}

/**
 * Gives the steps as they happen; the move goes on if nobody takes them.
 * @param {string} thing
 * @param {string} module
 * @param {string} to
 * @returns {AsyncGenerator<MoveEvent>}
 */
export async function* move(thing, module, to) {
  const response = await send(`${moduleUrl(thing, module)}/move`, json('POST', { to }));
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
    rest += decoder.decode(value, { stream: !done });
    const lines = rest.split('\n');
    rest = done ? '' : (lines.pop() ?? '');
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line);
    if (done) return;
  }
}

/**
 * @param {string} thing
 * @param {string} module
 * @param {'start' | 'stop' | 'restart'} action
 */
export const run = (thing, module, action) => send(`${moduleUrl(thing, module)}/run`, json('POST', { action }));

/**
 * @param {string} thing
 * @param {string} module
 */
export const remove = (thing, module) => send(moduleUrl(thing, module), { method: 'DELETE' });

/**
 * @param {{ thing: string, place: string, wasm: File, manifest: File | null, dry: boolean }} what
 * @returns {Promise<Placement>}
 */
export async function deploy({ thing, place, wasm, manifest, dry }) {
  const query = new URLSearchParams({ place, ...(dry ? { dry: '1' } : {}) });
  /** @type {RequestInit} */
  let options = { method: 'PUT', headers: { 'content-type': 'application/wasm' }, body: wasm };
  if (manifest !== null) {
    const form = new FormData();
    form.append('manifest', manifest, manifest.name);
    form.append('wasm', wasm, wasm.name);
    options = { method: 'PUT', body: form };
  }
  return (await send(`api/things/${encodeURIComponent(thing)}/modules?${query}`, options)).json();
}

/**
 * A GET of a service, as any client does it.
 * @param {string} thing
 * @param {string} path with leading slash
 */
export async function callService(thing, path) {
  const started = performance.now();
  const accept = { accept: 'application/json, text/plain;q=0.9, */*;q=0.5' };
  const response = await fetch(`things/${encodeURIComponent(thing)}${path}`, { headers: accept, cache: 'no-store' });
  const body = new Uint8Array(await response.arrayBuffer());
  const type = (response.headers.get('content-type') ?? '').split(';')[0] ?? '';
  return { status: response.status, type, body, milliseconds: performance.now() - started };
}

/** @param {string} token */
export const login = (token) => send('api/session', json('POST', { token }));
export const logout = () => send('api/session', { method: 'DELETE' });

/** @returns {Promise<string | null>} the name of who is logged in */
export async function whoami() {
  const answer = await (await send('api/whoami')).json();
  const name = answer?.name ?? answer?.user ?? null;
  return typeof name === 'string' ? name : null;
}
