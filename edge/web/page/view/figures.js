// Numbers as small pictures: curves and bars. Takes values, gives templates; the numbers stand beside them as text, so the
// pictures themselves are hidden from screen readers.
import { html, svg } from '../lit-html/lit-html.js';
import { HISTORY } from '../fleet.js';

/**
 * A curve of the last minute. Null is a gap.
 * @param {readonly (number | null)[]} values
 * @param {{ width?: number, height?: number, label?: string }} [size]
 */
export function curve(values, { width = 120, height = 28 } = {}) {
  const known = values.filter((value) => value !== null);
  const top = Math.max(...known, 1e-9) * 1.1;
  const step = width / (HISTORY - 1);
  const x = (/** @type {number} */ i) => width - (values.length - 1 - i) * step;
  const y = (/** @type {number} */ value) => height - 1 - (value / top) * (height - 3);
  let line = '';
  let area = '';
  let from = -1;
  values.forEach((value, i) => {
    if (value === null) {
      from = -1;
      return;
    }
    line += `${from < 0 ? 'M' : 'L'}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
    if (from < 0) from = i;
    if (i === values.length - 1 || values[i + 1] === null) {
      const points = values.slice(from, i + 1).map((v, j) => `L${x(from + j).toFixed(1)} ${y(v ?? 0).toFixed(1)}`);
      area += `M${x(from).toFixed(1)} ${height}${points.join('')}L${x(i).toFixed(1)} ${height}Z`;
    }
  });
  return html`<svg class="curve" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" aria-hidden="true">
    <path class="area" d=${area}></path>
    ${svg`<path class="line" d=${line}></path>`}
  </svg>`;
}

/**
 * @param {string} name
 * @param {string} text what the bar says, in numbers
 * @param {number | null} share of the whole, 0 to 1; null: not known
 * @param {boolean} [alarming] whether it is bad to be full: a stack, not a linear memory, which is given whole
 */
export function bar(name, text, share, alarming = true) {
  const width = share === null ? 0 : Math.max(0.015, Math.min(1, share)) * 100;
  const tone = !alarming || share === null ? '' : share > 0.9 ? 'full' : share > 0.75 ? 'high' : '';
  return html`<div class="bar ${alarming ? tone : 'calm'}">
    <span class="bar-name">${name}</span>
    <span class="bar-text">${text}</span>
    ${
      share === null
        ? html`<span></span>`
        : html`<svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
            <rect class="track" width="100" height="4"></rect>
            <rect class="used" width=${width} height="4"></rect>
          </svg>`
    }
  </div>`;
}

/**
 * @param {number} share 0 to 1
 * @param {string} label for those who do not see it
 */
export const progress = (share, label) =>
  html`<progress max="1" .value=${share} aria-label=${label}>${Math.round(share * 100)} %</progress>`;

const COLOURS = 8;

/**
 * The colour of a thing, the same in each browser: by its name, so that other things coming and going do not change it.
 * @param {string} thing
 */
export function colourOf(thing) {
  let hash = 2166136261;
  for (const character of thing) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619) >>> 0;
  return `thing-${hash % COLOURS}`;
}
