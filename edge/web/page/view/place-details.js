// What there is to know of the place that is selected: the bill of its memory, its slots, and the rest as the edge tells it.
// Takes its record and the answer of /api/places; gives a template. What it does not know is shown as it is.
import { html, nothing } from '../lit-html/lit-html.js';
import { select, state } from '../app.js';
import { bytes, bytesOf, count, duration, placeName, rate } from '../format.js';
import { bar } from './figures.js';
import { icons } from './icons.js';

/** @typedef {Record<string, unknown>} Values */

/** @param {string} name */
export function placeDetails(name) {
  const record = state.fleet.places.get(name);
  const modules = [...state.fleet.modules.values()].filter(({ place }) => place === name);
  const kind = name.startsWith('device:') ? 'Device' : 'Edge';
  const calls = modules.reduce((sum, module) => sum + (module.rate ?? 0), 0);
  const { image, modules: bill, slots, unmovable, ...rest } = values(state.placeDetails?.['details']);
  const known = { ...record?.details, ...rest };
  // Told by the image itself, and now.
  if (isRecord(image)) for (const key of ['image', 'freeRam']) delete known[key];
  return html`<header class="side-head">
      <div>
        <h2 id="side-title" tabindex="-1">${placeName(name)}</h2>
        <p class="about">${kind}${record?.kind === 'device' ? ` behind ${record.edge}` : ''}</p>
      </div>
      <button class="quiet icon-button" aria-label="Close details" @click=${() => select(null)}>${icons.close}</button>
    </header>
    ${record === undefined ? html`<p class="condition bad">This place is away.</p>` : nothing}
    <dl class="facts">
      <div>
        <dt>modules</dt>
        <dd>${modules.length}</dd>
      </div>
      <div>
        <dt>calls</dt>
        <dd>${rate(calls)}/s</dd>
      </div>
      ${facts(known)}${facts(imageFacts(image))}
    </dl>
    ${isRecord(image) ? deviceBill(list(bill), number(image['freeRam'])) : edgeBill(modules)} ${slotList(list(slots))}
    ${
      Array.isArray(unmovable) && unmovable.length > 0
        ? html`<section>
            <h3>Cannot move</h3>
            ${unmovable.map((entry) => html`<p class="nothing">${isRecord(entry) ? Object.values(entry).join(': ') : entry}</p>`)}
          </section>`
        : nothing
    }`;
}

/** @param {unknown} value @returns {value is Values} */
const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
/** @param {unknown} value @returns {Values} */
const values = (value) => (isRecord(value) ? value : {});
/** @param {unknown} value */
const list = (value) => (Array.isArray(value) ? value.filter(isRecord) : []);
/** @param {unknown} value */
const number = (value) => (typeof value === 'number' ? value : 0);

/** @param {unknown} image */
function imageFacts(image) {
  if (!isRecord(image)) return {};
  const { name, version, uptimeMs, freeRam } = image;
  return { image: `${name} ${version}`, up: duration(number(uptimeMs)), freeRam };
}

/** @param {Values} entries */
const facts = (entries) =>
  Object.entries(entries)
    .filter(([, value]) => value !== null && typeof value !== 'object')
    .map(
      ([key, value]) =>
        html`<div>
          <dt>${words(key)}</dt>
          <dd>${text(key, value)}</dd>
        </div>`,
    );

/** @type {Record<string, string>} */
const NAMES = {
  processBytes: 'its memory',
  heapBytes: 'of that heap',
  freeBytes: 'free memory',
  totalBytes: 'machine’s memory',
};

/** @param {string} key */
const words = (key) =>
  NAMES[key] ??
  key
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[_-]/g, ' ')
    .toLowerCase()
    .replace(/ ?(bytes|seconds|ms)$/, '')
    .replace(/\bram\b/, 'RAM');

/**
 * @param {string} key
 * @param {unknown} value
 */
function text(key, value) {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value !== 'number') return String(value);
  if (/bytes$|ram$/i.test(key)) return bytes(value);
  if (/seconds$/i.test(key)) return duration(value * 1000);
  if (/ms$/i.test(key)) return duration(value);
  return value.toLocaleString('en');
}

/**
 * Where the RAM of a device goes: each module's linear memory and stack, and what is left.
 * @param {Values[]} modules
 * @param {number} free
 */
function deviceBill(modules, free) {
  const sizes = modules.map(({ name, memoryBytes, stackBytes }) => {
    return { name: String(name), memory: number(memoryBytes), stack: number(stackBytes) };
  });
  const total = sizes.reduce((sum, { memory, stack }) => sum + memory + stack, free);
  if (total === 0) return nothing;
  return html`<section>
    <h3>Memory and stacks</h3>
    <div class="bills">
      ${sizes.map(({ name, memory, stack }) => bar(name, memoryText(memory, stack), (memory + stack) / total, false))}
      ${bar('free', bytes(free), free / total, false)}
    </div>
  </section>`;
}

/**
 * @param {number} memory
 * @param {number} stack
 */
const memoryText = (memory, stack) =>
  memory === 0 ? `${bytes(stack)} stack` : `${bytes(memory)} + ${bytes(stack)} stack`;

/** @param {readonly import('../fleet.js').Module[]} modules */
function edgeBill(modules) {
  const most = modules.reduce((sum, { stats }) => sum + (stats?.memoryMaxBytes ?? stats?.memoryBytes ?? 0), 0);
  if (most === 0) return nothing;
  return html`<section>
    <h3>Memory of ${count(modules.length, 'module')}</h3>
    <div class="bills">
      ${modules.map(({ module, stats }) =>
        bar(
          module,
          bytesOf(stats?.memoryBytes ?? 0, stats?.memoryMaxBytes ?? stats?.memoryBytes ?? 0),
          (stats?.memoryBytes ?? 0) / most,
          false,
        ),
      )}
    </div>
  </section>`;
}

/** @param {Values[]} slots */
function slotList(slots) {
  if (slots.length === 0) return nothing;
  return html`<section>
    <h3>${count(slots.length, 'slot')}</h3>
    <ul class="slots">
      ${slots.map(
        ({ slot, state: condition, module, capacity, ram }) =>
          html`<li>
            <code>${slot}</code> <span>${module === '' ? 'free' : module}</span>
            <span class="hint"
              >${condition}, for ${bytes(number(capacity))} of code and ${bytes(number(ram))} of RAM</span
            >
          </li>`,
      )}
    </ul>
  </section>`;
}
