// The fleet as a map: edges as areas, devices hanging on them, modules on their places. Takes the state; gives a template.
// Many modules become rows, very many closed groups; many places are shown a part at a time.
/** @import { Module } from '../fleet.js' */
/** @import { MoveEvent } from '../../../fleet/events.js' */
/** @import { PlaceRecord } from '../../../fleet/types.js' */
import { html, nothing } from '../lit-html/lit-html.js';
import { repeat } from '../lit-html/directives/repeat.js';
import { select, state, update } from '../app.js';
import { openDeploy } from '../deploy.js';
import { bytes, count, matches, placeName, rate } from '../format.js';
import { arriving, card, isDevice } from './card.js';
import { colourOf } from './figures.js';
import { icons } from './icons.js';

/** More modules than this at a place are rows; more than that, groups by thing that can be opened. */
const MAX_CARDS = 9;
const MAX_ROWS = 40;
const ROWS_AT_ONCE = 100;
const PLACES_AT_ONCE = 24;

const byName = new Intl.Collator('en', { numeric: true }).compare;

/** @typedef {{ record: PlaceRecord, modules: Module[], arriving: MoveEvent[], missing: boolean }} Area */

/** Places with what is on them; those that modules are said to be at, but that are away, too. */
function areas() {
  const { fleet, filter } = state;
  /** @type {Map<string, Area>} */
  const all = new Map();
  for (const record of fleet.places.values())
    all.set(record.name, { record, modules: [], arriving: [], missing: false });
  for (const module of fleet.modules.values()) {
    let area = all.get(module.place);
    if (area === undefined) {
      const kind = module.place.startsWith('device:') ? 'device' : 'edge';
      const edge = kind === 'edge' ? placeName(module.place) : '';
      area = { record: { name: module.place, kind, edge, details: {} }, modules: [], arriving: [], missing: true };
      all.set(module.place, area);
    }
    if (matches(`${module.key} ${module.place} ${module.version}`, filter)) area.modules.push(module);
  }
  for (const move of fleet.moves.values()) {
    if (fleet.modules.get(`${move.thing}.${move.module}`)?.place !== move.to) all.get(move.to)?.arriving.push(move);
  }
  for (const area of all.values()) area.modules.sort((a, b) => byName(a.thing, b.thing) || byName(a.module, b.module));
  const shown = [...all.values()].filter(({ record, modules }) => modules.length > 0 || matches(record.name, filter));
  const own = `edge:${fleet.edge}`;
  const first = (/** @type {Area} */ { record }) => (record.name === own ? 0 : 1);
  return shown.sort((a, b) => first(a) - first(b) || byName(a.record.name, b.record.name));
}

export function map() {
  const all = areas();
  const edges = all.filter(({ record }) => record.kind === 'edge');
  const names = new Set(edges.map(({ record }) => record.edge));
  /** @type {Map<string, Area[]>} */
  const devices = new Map();
  for (const area of all) {
    if (area.record.kind !== 'device') continue;
    const edge = area.record.edge;
    // The edge may be filtered out or away: its devices are shown all the same.
    if (!names.has(edge)) {
      names.add(edge);
      const record = { name: `edge:${edge}`, kind: /** @type {const} */ ('edge'), edge, details: {} };
      edges.push({ record, modules: [], arriving: [], missing: !state.fleet.places.has(record.name) });
    }
    devices.set(edge, [...(devices.get(edge) ?? []), area]);
  }
  if (all.length === 0) return empty();
  return html`<div class="edges">
    ${repeat(part('edges', edges), keyOfArea, (area) => edge(area, devices.get(area.record.edge) ?? []))}
    ${moreButton('edges', edges.length, 'edge')}
  </div>`;
}

const keyOfArea = (/** @type {Area} */ area) => area.record.name;

/**
 * @template T
 * @param {string} id
 * @param {T[]} list
 * @param {number} [first]
 */
const part = (id, list, first = PLACES_AT_ONCE) => list.slice(0, state.shown.get(id) ?? first);

/**
 * @param {string} id
 * @param {number} total
 * @param {string} noun
 * @param {number} [step]
 */
function moreButton(id, total, noun, step = PLACES_AT_ONCE) {
  const now = state.shown.get(id) ?? step;
  if (total <= now) return nothing;
  const show = () => {
    state.shown.set(id, now + step * 4);
    update();
  };
  return html`<button class="more" @click=${show}>Show more of ${count(total - now, `more ${noun}`)}</button>`;
}

function empty() {
  const { filter } = state;
  if (filter !== '')
    return html`<div class="empty">
      <h2>Nothing matches “${filter}”</h2>
      <p>Names of things, modules and places are searched.</p>
    </div>`;
  return html`<div class="empty">
    <h2>No places yet</h2>
    <p>Edges and devices appear here as soon as they are there.</p>
  </div>`;
}

/**
 * @param {Area} area
 * @param {Area[]} devices
 */
function edge(area, devices) {
  const { edge: name } = area.record;
  return html`<div
    class="edge-area ${area.missing ? 'missing' : ''}"
    role="group"
    aria-label="Edge ${name} and its devices"
  >
    ${place(area)}
    ${
      devices.length === 0
        ? nothing
        : html`<div class="devices">
              ${repeat(part(`devices of ${name}`, devices), keyOfArea, (device) => place(device))}
            </div>
            ${moreButton(`devices of ${name}`, devices.length, 'device')}`
    }
  </div>`;
}

/** @param {Area} area */
function place(area) {
  const { record, modules, missing } = area;
  const { name, kind } = record;
  const selected = state.selection?.kind === 'place' && state.selection.name === name;
  const calls = modules.reduce((sum, module) => sum + (module.rate ?? 0), 0);
  const title = `${kind === 'edge' ? 'Edge' : 'Device'} ${placeName(name)}`;
  return html`<section
    class="place ${kind} ${selected ? 'selected' : ''} ${missing ? 'missing' : ''}"
    data-place=${name}
    aria-label=${title}
  >
    <header class="place-head">
      ${kind === 'edge' ? icons.edge : icons.device}
      <h2>
        <button class="open" aria-pressed=${selected} @click=${() => select({ kind: 'place', name })}>
          <span class="sr">${kind} </span>${placeName(name)}
        </button>
      </h2>
      <span class="tags">
        ${kind === 'edge' && record.edge === state.fleet.edge ? html`<span class="tag">this edge</span>` : nothing}
        ${missing ? html`<span class="condition bad">away</span>` : nothing}
      </span>
      <label class="icon-button file-button" title="Deploy a .wasm to ${placeName(name)}">
        ${icons.upload}
        <span class="sr">Deploy to ${placeName(name)}</span>
        <input
          type="file"
          accept=".wasm,.json,application/wasm,application/json"
          multiple
          aria-label="Deploy files to ${placeName(name)}"
          ?disabled=${missing}
          @change=${(/** @type {Event} */ event) => chosen(name, /** @type {HTMLInputElement} */ (event.target))}
        />
      </label>
      <p class="place-facts">${facts(record, modules.filter((module) => !isDevice(module)).length, calls)}</p>
    </header>
    ${contents(area)}
  </section>`;
}

/**
 * @param {string} place
 * @param {HTMLInputElement} input
 */
function chosen(place, input) {
  const files = [...(input.files ?? [])];
  input.value = '';
  if (files.length > 0) void openDeploy(place, files);
}

/** What is told of a place on the map itself; the rest is in its details. */
const FACTS = /^(image|board|chip|platform|system|slots|free_?(ram|bytes))$/i;

/**
 * @param {PlaceRecord} record
 * @param {number} modules
 * @param {number} calls
 */
function facts({ details }, modules, calls) {
  const parts = [count(modules, 'module')];
  if (calls > 0) parts.push(`${rate(calls)}/s`);
  for (const [name, value] of Object.entries(details)) {
    if (!FACTS.test(name)) continue;
    const free = /^free/i.test(name) && typeof value === 'number';
    parts.push(free ? `${bytes(value)} free` : name === 'slots' ? `${value} slots` : String(value));
  }
  // What belongs together stays in one line.
  return parts.map((part) => part.replaceAll(' ', '\u00a0')).join(' · ');
}

/** @param {Area} area */
function contents(area) {
  const { record, modules } = area;
  const coming = area.arriving.map((move) => arriving(move));
  if (modules.length === 0 && coming.length === 0)
    return html`<p class="nothing">No modules. Drag one here, or drop a <code>.wasm</code> file.</p>`;
  const names = `Modules at ${placeName(record.name)}`;
  if (modules.length <= MAX_ROWS || state.filter !== '') {
    const own = modules.filter((module) => !isDevice(module));
    const device = modules.filter((module) => isDevice(module));
    const form = own.length <= MAX_CARDS ? 'card' : 'row';
    return html`${own.length + coming.length > 0 ? list(record.name, own, form, names, coming) : nothing}
    ${device.length > 0 ? list(`${record.name} itself`, device, 'row', `${placeName(record.name)} itself`, []) : nothing}`;
  }
  /** @type {Map<string, Module[]>} */
  const things = new Map();
  for (const module of modules) things.set(module.thing, [...(things.get(module.thing) ?? []), module]);
  return html`${
    coming.length > 0
      ? html`<ul class="cards" aria-label="Arriving">
          ${coming}
        </ul>`
      : nothing
  }
  ${repeat(
    things,
    ([thing]) => thing,
    ([thing, own]) => group(record.name, thing, own),
  )}`;
}

/**
 * The modules of one thing at a place that has very many.
 * @param {string} place
 * @param {string} thing
 * @param {Module[]} modules
 */
function group(place, thing, modules) {
  const id = `${place} ${thing}`;
  const open = state.open.get(id) ?? false;
  const toggle = () => {
    state.open.set(id, !open);
    update();
  };
  const calls = modules.reduce((sum, module) => sum + (module.rate ?? 0), 0);
  const failed = modules.filter((module) => module.stats?.state === 'failed').length;
  return html`<div class="group ${colourOf(thing)}">
    <button class="group-head" aria-expanded=${open} @click=${toggle}>
      ${icons.chevron}<span class="thing">${thing}</span>
      <span class="place-facts">${count(modules.length, 'module')}${calls > 0 ? ` · ${rate(calls)}/s` : ''}</span>
      ${failed > 0 ? html`<span class="condition bad">${failed} failed</span>` : nothing}
    </button>
    ${open ? list(id, modules, 'row', `Modules of ${thing} at ${placeName(place)}`, []) : nothing}
  </div>`;
}

/**
 * @param {string} id
 * @param {Module[]} modules
 * @param {'card' | 'row'} form
 * @param {string} label
 * @param {unknown[]} coming
 */
function list(id, modules, form, label, coming) {
  const shown = part(`modules ${id}`, modules, ROWS_AT_ONCE);
  const current = currentCard.get(id);
  const first = shown.some(({ key }) => key === current) ? current : shown[0]?.key;
  return html`<ul class="${form}s" aria-label=${label} data-list=${id}>
      ${repeat(
        shown,
        ({ key }) => key,
        (module) => card(module, form, module.key === first),
      )}${coming}
    </ul>
    ${moreButton(`modules ${id}`, modules.length, 'module', ROWS_AT_ONCE)}`;
}

/** Which card of a list Tab reaches. @type {Map<string, string>} */
export const currentCard = new Map();
