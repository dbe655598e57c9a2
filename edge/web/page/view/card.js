// A module on the map: card where there is room, row where there are many, dashed while it is on its way. Takes a module
// and the state of the page; gives templates.
/** @import { Module } from '../fleet.js' */
/** @import { MoveEvent } from '../../../fleet/events.js' */
import { html, nothing } from '../lit-html/lit-html.js';
import { select, state } from '../app.js';
import { bytes, bytesOf, count, latency, placeName, rate } from '../format.js';
import { openModuleMenu } from './menu.js';
import { bar, colourOf, curve, progress } from './figures.js';
import { icons } from './icons.js';

/** Built into a device's image, or the device itself: they stay where they are. @param {Module} module */
export const isFixed = (module) => module.hash === '';

/** What stands for a device itself: the services of its kernel. @param {Module} module */
export const isDevice = ({ module, hash, place }) => hash === '' && module === 'device' && place.startsWith('device:');

/** @type {Record<string, string>} */
const STEPS = {
  prepare: 'preparing the place',
  precopy: 'copying its state ahead',
  freeze: 'stopped between calls',
  commit: 'changing the route',
  activate: 'starting there',
  discard: 'cleaning up',
};

/** @param {MoveEvent} move */
export const stepText = (move) => STEPS[move.step] ?? move.step;

/** @type {Record<string, string>} */
const TONES = { running: 'good', starting: 'busy', 'backing off': 'warn', failed: 'bad' };

/** @param {Module} module */
export function stateOf(module) {
  if (state.fleet.moves.has(module.key)) return { text: 'moving', tone: 'busy' };
  if (!state.fleet.places.has(module.place)) return { text: 'away', tone: 'bad' };
  const text = module.stats?.state ?? 'not measured';
  return { text, tone: TONES[text] ?? 'plain' };
}

/** @param {Module} module */
export const faultsOf = (module) =>
  Math.max(module.stats?.faults ?? 0, state.fleet.faults.get(module.key)?.length ?? 0);

/**
 * @param {Module} module
 * @param {'card' | 'row'} form
 * @param {boolean} current whether Tab reaches it; the arrow keys reach the others
 */
export function card(module, form, current) {
  const { key, thing, stats } = module;
  const move = state.fleet.moves.get(key);
  const condition = stateOf(module);
  const selected = state.selection?.kind === 'module' && state.selection.key === key;
  const classes = [
    form,
    colourOf(thing),
    selected ? 'selected' : '',
    move === undefined ? '' : 'moving',
    state.arrived.has(key) ? 'arrived' : '',
    isFixed(module) ? 'fixed' : '',
  ];
  const faults = faultsOf(module);
  return html`<li>
    <article class=${classes.join(' ')} data-module=${key}>
      <header>
        ${
          isFixed(module)
            ? html`<span class="grip" title="Part of the firmware: it stays here">${icons.lock}</span>`
            : html`<span class="grip" data-grip title="Drag to move">${icons.grip}</span>`
        }
        <h3>
          <button
            class="open"
            data-card=${key}
            tabindex=${current ? 0 : -1}
            aria-pressed=${selected}
            aria-keyshortcuts="m"
            @click=${() => select({ kind: 'module', key })}
          >
            ${module.module}<span class="sr"> of ${thing}</span>
          </button>
        </h3>
        ${
          faults > 0
            ? html`<span class="badge" title="Faults since its start"
                >${icons.fault}${faults}<span class="sr"> faults</span></span
              >`
            : nothing
        }
        <button
          class="quiet icon-button"
          tabindex=${current ? 0 : -1}
          aria-haspopup="menu"
          aria-label="Move ${module.module} and more"
          data-menu=${key}
          @click=${(/** @type {MouseEvent} */ event) => openModuleMenu(module, /** @type {HTMLElement} */ (event.currentTarget))}
        >
          ${icons.more}
        </button>
      </header>
      <p class="about">
        <span class="thing">${thing}</span>
        <span class="condition ${condition.tone}">${condition.text}</span>
      </p>
      ${move !== undefined ? moving(move) : isDevice(module) ? offered(module) : measured(module, form)}
      ${form === 'card' && stats !== null && move === undefined ? bills(module) : nothing}
    </article>
  </li>`;
}

/**
 * @param {Module} module
 * @param {'card' | 'row'} form
 */
function measured({ rate: perSecond, rates, latencies, stats }, form) {
  const median = stats?.latency?.median ?? null;
  // Places that do not measure latencies leave the room to the calls.
  const timed = form === 'row' || latencies.some((value) => value !== null);
  return html`<div class="figures ${timed ? 'timed' : ''}">
    <span class="figure" title="Calls per second"
      ><b>${perSecond === null ? '–' : rate(perSecond)}</b><span class="unit">/s</span
      ><span class="sr"> calls</span></span
    >
    ${form === 'card' ? curve(rates) : nothing}
    ${
      timed
        ? html`<span class="figure latency" title="Median latency of the last second"
              ><b>${median === null ? '–' : latency(median)}</b><span class="sr"> median latency</span></span
            >
            ${form === 'card' ? curve(latencies) : nothing}`
        : nothing
    }
  </div>`;
}

/** @param {Module} module */
const offered = ({ services }) =>
  html`<div class="figures hint">${count(new Set(services.map(({ path }) => path)).size, 'service')}</div>`;

/** @param {MoveEvent} move */
function moving(move) {
  return html`<div class="on-its-way">
    <span>to <b>${placeName(move.to)}</b>: ${stepText(move)}</span>
    ${progress(move.progress, `Move of ${move.module} to ${placeName(move.to)}`)}
  </div>`;
}

/** Memory and stack, used and of how much. @param {Module} module */
export function bills({ stats }) {
  if (stats === null) return nothing;
  const { memoryBytes, memoryMaxBytes, stackBytes, stackMaxBytes } = stats;
  return html`<div class="bills">
    ${bill('memory', memoryBytes, memoryMaxBytes, false)}
    ${stackBytes === null && stackMaxBytes === null ? nothing : bill('stack', stackBytes, stackMaxBytes, true)}
  </div>`;
}

/**
 * @param {string} name
 * @param {number | null} used
 * @param {number | null} size
 * @param {boolean} alarming
 */
function bill(name, used, size, alarming) {
  if (used === null || size === null) return bar(name, bytes(used ?? size ?? 0), null);
  return bar(name, bytesOf(used, size), used / Math.max(1, size), alarming);
}

/** Where a module will be in a moment. @param {MoveEvent} move */
export function arriving(move) {
  return html`<li>
    <article class="card arriving ${colourOf(move.thing)}" data-arriving=${`${move.thing}.${move.module}`}>
      <header><h3>${move.module}</h3></header>
      <p class="about"><span class="thing">${move.thing}</span> from ${placeName(move.from)}</p>
    </article>
  </li>`;
}
