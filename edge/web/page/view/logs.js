// The log of the fleet: what modules and devices wrote, faults among it. Takes the lines; gives a template with filter and
// pause. While it is paused lines go on being kept.
/** @import { LogLine } from '../fleet.js' */
import { html, nothing } from '../lit-html/lit-html.js';
import { repeat } from '../lit-html/directives/repeat.js';
import { select, state, update } from '../app.js';
import { count, matches, placeName, time } from '../format.js';
import { colourOf } from './figures.js';
import { icons } from './icons.js';

const LINES = 300;

/** @param {LogLine} line */
function textOf(line) {
  if (line.type === 'log') return line.text.trimEnd();
  const top = line.backtrace[0];
  const where = top === undefined ? '' : ` in ${top.name}${top.source === null ? '' : ` (${top.source})`}`;
  return `${line.message === '' ? line.reason : line.message}${where}`;
}

/** @param {LogLine} line */
const searched = (line) =>
  `${line.place} ${line.thing ?? ''}.${line.module ?? ''} ${line.type} ${textOf(line)} ${line.type === 'fault' ? line.reason : ''}`;

export function logs() {
  const { fleet, logFilter, logPausedAt, logOpen } = state;
  const all = logPausedAt === null ? fleet.logs : fleet.logs.filter(({ id }) => id < logPausedAt);
  const lines = [];
  for (let i = all.length - 1; i >= 0 && lines.length < LINES; i--) {
    const line = all[i];
    if (line !== undefined && matches(searched(line), logFilter)) lines.push(line);
  }
  lines.reverse();
  const waiting = logPausedAt === null ? 0 : fleet.logged - logPausedAt;
  return html`<section class="logs ${logOpen ? 'open' : ''}" aria-label="Log">
    <header>
      <h2>
        <button class="open" aria-expanded=${logOpen} @click=${toggle}>${icons.chevron} Log</button>
      </h2>
      ${
        logOpen
          ? html`<label class="field">
                ${icons.search}<span class="sr">Filter the log</span>
                <input
                  type="search"
                  placeholder="Filter: words, place, module, fault"
                  .value=${logFilter}
                  @input=${(/** @type {Event} */ event) => {
                    state.logFilter = /** @type {HTMLInputElement} */ (event.target).value;
                    update();
                  }}
                />
              </label>
              <button class="pause" aria-pressed=${logPausedAt !== null} @click=${pause}>
                ${logPausedAt === null ? icons.pause : icons.play}
                ${logPausedAt === null ? 'Pause' : 'Go on'}${waiting > 0 ? html` <span class="hint">${count(waiting, 'new line')}</span>` : nothing}
              </button>`
          : html`<span class="hint">${lines.length === 0 ? '' : textOf(/** @type {LogLine} */ (lines.at(-1)))}</span>`
      }
    </header>
    ${
      logOpen
        ? html`<div class="lines" tabindex="0" role="log" aria-live="off" aria-label="Lines of the log" data-follow>
            ${
              lines.length === 0
                ? html`<p class="nothing">
                    ${logFilter === '' ? 'Nothing has been written yet.' : 'No line matches.'}
                  </p>`
                : repeat(lines, ({ id }) => id, row)
            }
          </div>`
        : nothing
    }
  </section>`;
}

/** @param {LogLine} line */
function row(line) {
  const { module, thing } = line;
  const who = module === null ? 'console' : module;
  const known = module !== null && thing !== null && state.fleet.modules.has(`${thing}.${module}`);
  const open = () => select({ kind: 'module', key: `${thing}.${module}` });
  return html`<div class="line ${line.type} ${thing === null ? '' : colourOf(thing)}">
    <time>${time(line.time)}</time>
    <span class="line-place">${placeName(line.place)}</span>
    ${
      known
        ? html`<button class="link line-module" tabindex="-1" @click=${open}>${who}</button>`
        : html`<span class="line-module">${who}</span>`
    }
    <span class="line-text">${line.type === 'fault' ? html`<b>fault</b> ` : nothing}${textOf(line)}</span>
  </div>`;
}

function toggle() {
  state.logOpen = !state.logOpen;
  update();
}

function pause() {
  state.logPausedAt = state.logPausedAt === null ? state.fleet.logged : null;
  update();
}
