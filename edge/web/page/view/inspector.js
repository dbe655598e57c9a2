// What there is to know of the module that is selected: figures, bills, services to call, faults. Takes it; gives a
// template.
/** @import { FaultEvent } from '../../../fleet/events.js' */
/** @import { CallResult } from '../app.js' */
/** @import { Module } from '../fleet.js' */
import { html, nothing } from '../lit-html/lit-html.js';
import { call, remove, run, select, state, update } from '../app.js';
import { methodName } from '../fleet.js';
import { count, duration, latency, placeName, rate, time } from '../format.js';
import { bills, faultsOf, isFixed, stateOf, stepText } from './card.js';
import { colourOf, curve, progress } from './figures.js';
import { icons } from './icons.js';
import { openModuleMenu } from './menu.js';

/** @param {Module} module */
export function moduleDetails(module) {
  const { key, thing, stats, version, place, epoch, hash } = module;
  const condition = stateOf(module);
  const move = state.fleet.moves.get(key);
  const stopped = stats?.state === 'stopped' || stats?.state === 'failed';
  const fixed = isFixed(module);
  return html`<header class="side-head ${colourOf(thing)}">
      <div>
        <h2 id="side-title" tabindex="-1">${module.module}</h2>
        <p class="about">
          <span class="thing">${thing}</span> at
          <button class="link" @click=${() => select({ kind: 'place', name: place })}>${placeName(place)}</button>
        </p>
      </div>
      <button class="quiet icon-button" aria-label="Close details" @click=${() => select(null)}>${icons.close}</button>
    </header>
    ${
      move === undefined
        ? nothing
        : html`<div class="on-its-way">
            <span>to <b>${placeName(move.to)}</b>: ${stepText(move)}</span>
            ${progress(move.progress, `Move to ${placeName(move.to)}`)}
          </div>`
    }
    ${
      fixed
        ? html`<p class="nothing">Part of the firmware: it stays here.</p>`
        : html`<div class="actions">
            <button
              aria-haspopup="menu"
              ?disabled=${move !== undefined}
              @click=${(/** @type {MouseEvent} */ event) => openModuleMenu(module, /** @type {HTMLElement} */ (event.currentTarget))}
            >
              Move to…
            </button>
            <button @click=${() => run(module, stopped ? 'start' : 'restart')}>${stopped ? 'Start' : 'Restart'}</button>
            <button class="quiet danger" @click=${() => remove(module)}>Remove…</button>
          </div>`
    }
    <dl class="facts">
      <div>
        <dt>state</dt>
        <dd class="condition ${condition.tone}">${condition.text}</dd>
      </div>
      ${
        version === ''
          ? nothing
          : html`<div>
              <dt>version</dt>
              <dd>${version}</dd>
            </div>`
      }
      <div>
        <dt>epoch</dt>
        <dd>${epoch}</dd>
      </div>
      ${
        hash === ''
          ? nothing
          : html`<div>
              <dt>package</dt>
              <dd><code title=${hash}>${hash.slice(0, 12)}</code></dd>
            </div>`
      }
      ${
        stats === null
          ? nothing
          : html`<div>
                <dt>calls</dt>
                <dd>${stats.calls.toLocaleString('en')}</dd>
              </div>
              <div>
                <dt>restarts</dt>
                <dd>${stats.restarts}</dd>
              </div>`
      }
    </dl>
    ${faultsOf(module) > 0 ? faults(module) : nothing} ${stats === null ? nothing : charts(module)}
    ${
      stats === null
        ? nothing
        : html`<section>
            <h3>Memory</h3>
            ${bills(module)}
          </section>`
    }
    ${services(module)} ${stats === null || faultsOf(module) > 0 ? nothing : faults(module)}
    <button
      class="link"
      @click=${() => {
        state.logFilter = `${thing}.${module.module}`;
        state.logOpen = true;
        update();
      }}
    >
      Show only its log
    </button>`;
}

/** @param {Module} module */
function charts({ rate: perSecond, rates, latencies, stats }) {
  const worst = stats?.latency?.worst;
  const median = stats?.latency?.median;
  return html`<section class="charts">
    <h3>Last minute</h3>
    <div>
      <span class="chart-name">calls</span
      ><span class="figure"><b>${perSecond === null ? '–' : rate(perSecond)}</b><span class="unit">/s</span></span>
      ${curve(rates, { width: 320, height: 44 })}
    </div>
    <div>
      <span class="chart-name">latency</span>
      <span class="figure"
        ><b>${median === undefined ? '–' : latency(median)}</b
        >${worst === undefined ? nothing : html`<span class="unit"> worst ${latency(worst)}</span>`}</span
      >
      ${curve(latencies, { width: 320, height: 44 })}
    </div>
  </section>`;
}

/** One line for each path; a GET can be called. @param {Module} module */
function services(module) {
  /** @type {Map<string, { methods: string[], observable: boolean }>} */
  const paths = new Map();
  for (const service of module.services) {
    const path = `/${service.path.replace(/^\//, '')}`;
    const entry = paths.get(path) ?? { methods: [], observable: false };
    if (!entry.methods.includes(methodName(service))) entry.methods.push(methodName(service));
    entry.observable ||= service.observable === true;
    paths.set(path, entry);
  }
  if (paths.size === 0) return nothing;
  return html`<section>
    <h3>${count(paths.size, 'service')}</h3>
    <ul class="services">
      ${[...paths].map(([path, { methods, observable }]) => {
        const get = methods.includes('GET');
        return html`<li>
          <p class="method">
            ${methods.join(' ')}${observable ? html`<span class="tag" title="Observable">${icons.eye} observe</span>` : nothing}
          </p>
          ${get ? caller(module, path) : html`<code class="path">${path}</code>`}
          ${get ? result(state.calls.get(`${module.key} ${path}`)) : nothing}
        </li>`;
      })}
    </ul>
  </section>`;
}

/**
 * @param {Module} module
 * @param {string} path
 */
function caller(module, path) {
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const actual = String(new FormData(form).get('path') ?? path);
    // What is asked for may have a parameter filled in or a query; the answer belongs to this service all the same.
    void call(module, path, actual);
  };
  return html`<form class="caller" @submit=${submit}>
    <input name="path" .defaultValue=${path} aria-label="Path of GET ${path}" spellcheck="false" autocapitalize="off" />
    <button>Call</button>
  </form>`;
}

/** @param {CallResult | undefined} result */
function result(result) {
  if (result === undefined) return nothing;
  if ('waiting' in result) return html`<p class="answer" role="status">Waiting for the answer…</p>`;
  if ('error' in result) return html`<p class="answer bad" role="status">${result.error}</p>`;
  const { status, milliseconds } = result;
  return html`<div class="answer" role="status">
    <p class=${status < 400 ? 'good' : 'bad'}>${status} after ${duration(milliseconds)}</p>
    <pre tabindex="0" aria-label="Answer">${bodyText(result)}</pre>
  </div>`;
}

/** @param {{ type: string, body: Uint8Array }} answer */
function bodyText({ type, body }) {
  if (body.length === 0) return '(empty)';
  const text = new TextDecoder().decode(body);
  if (type.endsWith('json')) {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  }
  // Control characters and what was no UTF-8: not a text.
  // eslint-disable-next-line no-control-regex
  if (type.startsWith('text/') || !/[\u0000-\u0008\u000e-\u001f\ufffd]/.test(text)) return text;
  return [...body.subarray(0, 512)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** @param {Module} module */
function faults(module) {
  const list = state.fleet.faults.get(module.key) ?? [];
  const total = faultsOf(module);
  if (total === 0)
    return html`<section>
      <h3>Faults</h3>
      <p class="nothing">None.</p>
    </section>`;
  return html`<section>
    <h3>${count(total, 'fault')}</h3>
    ${list.length === 0 ? html`<p class="nothing">Counted by the place; no report reached this page.</p>` : nothing}
    <ul class="faults">
      ${list.map((entry, i) => fault(entry, i === 0))}
    </ul>
  </section>`;
}

/**
 * @param {FaultEvent} fault
 * @param {boolean} open
 */
function fault({ time: when, place, reason, message, backtrace }, open) {
  const top = backtrace[0];
  return html`<li>
    <details ?open=${open}>
      <summary>
        <span class="fault-what">${reason}</span>
        ${top === undefined ? nothing : html`<span class="fault-where">${top.name}${top.source === null ? '' : ` · ${top.source}`}</span>`}
        <span class="fault-when">${time(when)} at ${placeName(place)}</span>
      </summary>
      ${message === '' || message === reason ? nothing : html`<p>${message}</p>`}
      ${
        backtrace.length === 0
          ? html`<p class="nothing">No backtrace.</p>`
          : html`<ol class="backtrace">
              ${backtrace.map(
                ({ name, func, offset, source }) =>
                  html`<li>
                    <code class="function">${name === '' ? `function ${func}` : name}</code>
                    <code class="source"
                      >${source ?? (offset === 0 ? 'no source line known' : `offset 0x${offset.toString(16)}`)}</code
                    >
                  </li>`,
              )}
            </ol>`
      }
    </details>
  </li>`;
}
