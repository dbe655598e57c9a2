// The page as a whole. Takes the state; gives one template: head, map, details, log, what lies over them.
import { html, nothing } from '../lit-html/lit-html.js';
import { logout, reconnect, state, update } from '../app.js';
import { count, rate } from '../format.js';
import { dialog, loginForm, toasts } from './dialogs.js';
import { moduleDetails } from './inspector.js';
import { icons } from './icons.js';
import { logs } from './logs.js';
import { map } from './map.js';
import { menu } from './menu.js';
import { placeDetails } from './place-details.js';

export function shell() {
  const { connection, fleet } = state;
  if (connection === 'login')
    return html`${head()}
      <main id="fleet" class="alone">${loginForm()}</main>`;
  if (fleet.edge === '') {
    const text = connection === 'away' ? 'The edge does not answer. Trying again…' : 'Asking the edge…';
    return html`${head()}
      <main id="fleet" class="alone"><h1 class="nothing">${text}</h1></main>`;
  }
  const side = details();
  return html`${head()}
    ${
      connection === 'away'
        ? html`<div class="notice">
            <span>The edge is away: what you see is what was last known. Trying to reach it again.</span>
            <button @click=${reconnect}>Try now</button>
          </div>`
        : nothing
    }
    <div class="body ${side === nothing ? '' : 'with-side'}">
      <main id="fleet" tabindex="-1">
        <h1 class="sr">Fleet</h1>
        ${map()} ${state.menu === null ? nothing : menu(state.menu)}
        <svg id="routes" aria-hidden="true"></svg>
      </main>
      ${side} ${toasts()}
    </div>
    ${logs()} ${dialog()}`;
}

function details() {
  const { selection, fleet } = state;
  if (selection === null) return nothing;
  if (selection.kind === 'place')
    return html`<aside class="side" aria-labelledby="side-title">${placeDetails(selection.name)}</aside>`;
  const module = fleet.modules.get(selection.key);
  if (module === undefined) return nothing;
  return html`<aside class="side" aria-labelledby="side-title">${moduleDetails(module)}</aside>`;
}

function head() {
  const { fleet, connection, user } = state;
  const modules = [...fleet.modules.values()];
  const calls = modules.reduce((sum, module) => sum + (module.rate ?? 0), 0);
  const bad = modules.filter(({ stats }) => stats?.state === 'failed').length;
  const text = { connecting: 'connecting', live: 'live', away: 'away', login: 'logged out' }[connection];
  return html`<header class="top">
    <p class="brand">
      <b>ThingSpire</b>${fleet.edge === '' ? nothing : html`<span class="edge-name">${fleet.edge}</span>`}
    </p>
    <p class="summary">
      <span class="condition ${connection === 'live' ? 'good' : connection === 'away' ? 'bad' : 'busy'}">${text}</span>
      ${
        fleet.edge === '' || connection === 'login'
          ? nothing
          : html`<span>${count(fleet.places.size, 'place')}</span><span>${count(modules.length, 'module')}</span
              ><span class="total">${rate(calls)} calls/s</span
              >${bad > 0 ? html`<span class="condition bad">${bad} failed</span>` : nothing}`
      }
    </p>
    ${
      connection === 'login'
        ? nothing
        : html`<label class="field search">
            ${icons.search}<span class="sr">Filter the fleet</span>
            <input
              type="search"
              placeholder="Filter"
              .value=${state.filter}
              @input=${(/** @type {Event} */ event) => {
                state.filter = /** @type {HTMLInputElement} */ (event.target).value.trim();
                update();
              }}
            />
          </label>`
    }
    ${themeButton()}
    ${user === null || connection === 'login' ? nothing : html`<button class="quiet user" title="Log out ${user}" @click=${logout}>Log out</button>`}
  </header>`;
}

const THEMES = /** @type {const} */ (['auto', 'light', 'dark']);

function themeButton() {
  const chosen = document.documentElement.dataset['theme'];
  const now = chosen === 'light' || chosen === 'dark' ? chosen : 'auto';
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length] ?? 'auto';
  const set = () => {
    if (next === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = next;
    try {
      if (next === 'auto') localStorage.removeItem('theme');
      else localStorage.setItem('theme', next);
    } catch {
      // Storage is switched off: the choice holds until the page is left.
    }
    update();
  };
  const name = now === 'auto' ? 'as the system' : now;
  return html`<button
    class="quiet icon-button theme"
    aria-label="Colours: ${name}. Change to ${next === 'auto' ? 'as the system' : next}"
    title="Colours: ${name}"
    @click=${set}
  >
    ${icons[now]}
  </button>`;
}
