// What there is to know of the place that is selected. Takes its record and the details as the edge tells them, whatever
// they are; gives a template with bars where something says used and size.
import { html, nothing } from '../lit-html/lit-html.js';
import { select, state } from '../app.js';
import { bytes, bytesOf, count, placeName, rate } from '../format.js';
import { bar } from './figures.js';
import { icons } from './icons.js';

/** @param {string} name */
export function placeDetails(name) {
  const record = state.fleet.places.get(name);
  const modules = [...state.fleet.modules.values()].filter(({ place }) => place === name);
  const kind = name.startsWith('device:') ? 'Device' : 'Edge';
  const calls = modules.reduce((sum, module) => sum + (module.rate ?? 0), 0);
  const memory = modules.reduce((sum, { stats }) => sum + (stats?.memoryBytes ?? 0), 0);
  const most = modules.reduce((sum, { stats }) => sum + (stats?.memoryMaxBytes ?? stats?.memoryBytes ?? 0), 0);
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
      ${Object.entries(record?.details ?? {}).map(([key, value]) => fact(key, value))}
    </dl>
    ${
      most > 0
        ? html`<section>
            <h3>Memory of ${count(modules.length, 'module')}</h3>
            ${bar('now of at most', bytesOf(memory, most), memory / most, false)}
          </section>`
        : nothing
    }
    ${Object.entries(state.placeDetails ?? {})
      .filter(([key]) => !['name', 'kind', 'edge', 'details'].includes(key))
      .map(([key, value]) => part(key, value))}`;
}

/** @param {string} key */
const words = (key) =>
  key
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[_-]/g, ' ')
    .toLowerCase();

/**
 * @param {string} key
 * @param {unknown} value
 */
function text(key, value) {
  if (value === null) return '–';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number' && /bytes|ram$|memory|stack/i.test(key)) return bytes(value);
  if (typeof value === 'number') return value.toLocaleString('en');
  return String(value);
}

/**
 * @param {string} key
 * @param {unknown} value
 */
const fact = (key, value) =>
  html`<div>
    <dt>${words(key).replace(/ ?bytes$/, '')}</dt>
    <dd>${text(key, value)}</dd>
  </div>`;

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * @param {string} key
 * @param {unknown} value
 * @returns {unknown}
 */
function part(key, value) {
  if (!isRecord(value) && !Array.isArray(value)) return html`<dl class="facts">${fact(key, value)}</dl>`;
  const entries = Array.isArray(value) ? value : [value];
  if (entries.length === 0) return nothing;
  return html`<section>
    <h3>${words(key)}</h3>
    ${entries.map((entry, i) => (isRecord(entry) ? box(entry) : html`<p>${text(key, entry) || i}</p>`))}
  </section>`;
}

/** A record: bars for what has a use and a size, the rest as facts. @param {Record<string, unknown>} entry */
function box(entry) {
  const pairs = Object.entries(entry);
  const used = pairs.find(
    ([key, value]) => /^(used|stackBytes|usedBytes|used_bytes|bytes)$/.test(key) && typeof value === 'number',
  );
  const size = pairs.find(
    ([key, value]) =>
      /^(size|total|max|stackMaxBytes|sizeBytes|size_bytes|maxBytes|max_bytes)$/.test(key) && typeof value === 'number',
  );
  const title = pairs.find(([key]) => /^(name|module|slot)$/.test(key));
  if (used !== undefined && size !== undefined) {
    const [a, b] = [Number(used[1]), Number(size[1])];
    return bar(String(title?.[1] ?? words(used[0])), bytesOf(a, b), a / Math.max(1, b));
  }
  const plain = pairs.filter(([, value]) => !isRecord(value) && !Array.isArray(value));
  const nested = pairs.filter(([, value]) => isRecord(value) || Array.isArray(value));
  return html`<dl class="facts">${plain.map(([key, value]) => fact(key, value))}</dl>
    ${nested.map(([key, value]) => part(key, value))}`;
}
