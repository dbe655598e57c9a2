// What asks for an answer: deploying files, confirming, logging in; and the notices that need none. Takes the state; gives
// templates. Dialogs are the browser's own, with its keeping of the focus.
/** @import { ConfirmDialog, DeployDialog, DeployFile, PlaceDialog, Toast } from '../app.js' */
import { html, nothing } from '../lit-html/lit-html.js';
import { ref } from '../lit-html/directives/ref.js';
import { repeat } from '../lit-html/directives/repeat.js';
import { dismiss, login, move, state, update } from '../app.js';
import { addFiles, deployAll } from '../deploy.js';
import { bytes, placeName } from '../format.js';
import { icons } from './icons.js';

/** @param {Element | undefined} element */
function shown(element) {
  if (element instanceof HTMLDialogElement && !element.open)
    queueMicrotask(() => element.isConnected && element.showModal());
}

function close() {
  state.dialog = null;
  update();
}

export function dialog() {
  const { dialog } = state;
  if (dialog === null) return nothing;
  if (dialog.kind === 'place') return anotherPlace(dialog);
  return dialog.kind === 'confirm' ? confirm(dialog) : deploy(dialog);
}

/** Where to move a module when there are too many places for a menu. @param {PlaceDialog} dialog */
function anotherPlace({ key }) {
  const module = state.fleet.modules.get(key);
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const input = /** @type {HTMLInputElement} */ (
      /** @type {HTMLFormElement} */ (event.target).elements.namedItem('to')
    );
    const name = input.value.trim();
    const place = [name, `device:${name}`, `edge:${name}`].find((entry) => state.fleet.places.has(entry));
    input.setCustomValidity(place === undefined ? 'There is no place of this name.' : '');
    if (place === undefined) return input.reportValidity();
    close();
    return void move(key, place);
  };
  const edited = (/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.target).setCustomValidity('');
  return html`<dialog ${ref(shown)} @close=${close} aria-labelledby="dialog-title">
    <form @submit=${submit}>
      <h2 id="dialog-title">Move ${module?.module ?? ''}</h2>
      <label
        >To place
        <input
          name="to"
          list="places"
          required
          autocomplete="off"
          autocapitalize="off"
          spellcheck="false"
          @input=${edited}
        />
        <datalist id="places">
          ${[...state.fleet.places.keys()].map((name) => html`<option value=${name}></option>`)}
        </datalist>
      </label>
      <div class="buttons">
        <button type="button" @click=${close}>Cancel</button>
        <button class="primary">Move</button>
      </div>
    </form>
  </dialog>`;
}

/** @param {ConfirmDialog} dialog */
function confirm({ title, text, label, run }) {
  const yes = () => {
    close();
    run();
  };
  return html`<dialog
    ${ref(shown)}
    @close=${close}
    aria-labelledby="dialog-title"
    role="alertdialog"
    aria-describedby="dialog-text"
  >
    <h2 id="dialog-title">${title}</h2>
    <p id="dialog-text">${text}</p>
    <div class="buttons">
      <button @click=${close}>Cancel</button>
      <button class="primary danger" @click=${yes}>${label}</button>
    </div>
  </dialog>`;
}

/** @param {DeployDialog} dialog */
function deploy(dialog) {
  const { files, thing, place, manifest, busy } = dialog;
  const things = [...new Set([...state.fleet.modules.values()].map((module) => module.thing))];
  const needs = files.some(({ own }) => !own);
  const ready = files.length > 0 && /^[a-z][a-z0-9-]{0,30}$/.test(thing) && (!needs || manifest !== null) && !busy;
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    void deployAll(dialog, /** @type {HTMLButtonElement | null} */ (event.submitter)?.value === 'check');
  };
  const set = (/** @type {'thing' | 'place'} */ field) => (/** @type {Event} */ event) => {
    dialog[field] = /** @type {HTMLInputElement} */ (event.target).value;
    update();
  };
  const more = (/** @type {Event} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    const chosen = [...(input.files ?? [])];
    input.value = '';
    void addFiles(dialog, chosen);
  };
  return html`<dialog ${ref(shown)} @close=${close} aria-labelledby="dialog-title" class="deploy">
    <form @submit=${submit}>
      <h2 id="dialog-title">Deploy to ${placeName(place)}</h2>
      <ul class="files">
        ${files.map(file)}
        ${manifest === null ? nothing : html`<li class="file"><b>${manifest.name}</b><span class="hint">manifest, ${bytes(manifest.size)}</span></li>`}
      </ul>
      ${
        needs && manifest === null
          ? html`<p class="note">
              ${files.length === 1 ? 'The module carries' : 'Some modules carry'} no manifest. Add the things.json that
              it belongs to.
            </p>`
          : nothing
      }
      <label class="add">
        Add files
        <input type="file" accept=".wasm,.json,application/wasm,application/json" multiple @change=${more} />
      </label>
      <div class="two">
        <label
          >Thing
          <input
            name="thing"
            list="things"
            required
            pattern="[a-z][a-z0-9\\-]{0,30}"
            .value=${thing}
            autocomplete="off"
            autocapitalize="off"
            spellcheck="false"
            title="Lower-case letters, digits and hyphens"
            @input=${set('thing')}
          />
          <datalist id="things">${things.map((name) => html`<option value=${name}></option>`)}</datalist>
        </label>
        <label
          >Place
          <select name="place" @change=${set('place')}>
            ${[...state.fleet.places.keys()].sort().map((name) => html`<option value=${name} ?selected=${name === place}>${name.replace(':', ' ')}</option>`)}
          </select>
        </label>
      </div>
      <div class="buttons">
        <button type="button" @click=${close}>Cancel</button>
        <button value="check" ?disabled=${!ready}>Check only</button>
        <button class="primary" value="deploy" ?disabled=${!ready}>${busy ? 'Working…' : 'Deploy'}</button>
      </div>
    </form>
  </dialog>`;
}

/** @param {DeployFile} file */
const file = ({ wasm, name, version, own, result, tone, errors }) =>
  html`<li class="file">
    <b>${wasm.name}</b>
    <span class="hint"
      >${bytes(wasm.size)}${own ? `, ${name ?? 'with manifest'} ${version ?? ''}` : ', no manifest inside'}</span
    >
    ${result === '' ? nothing : html`<p class="result ${tone}">${result}</p>`}
    ${
      errors.length === 0
        ? nothing
        : html`<ol class="errors">
            ${errors.map((text) => html`<li>${text}</li>`)}
          </ol>`
    }
  </li>`;

export function loginForm() {
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    void login(String(new FormData(form).get('token') ?? '').trim());
  };
  return html`<form class="login" @submit=${submit}>
    <h1>Log in to this edge</h1>
    <p>It asks for a token. Whoever runs the edge can give you one.</p>
    <label>Token <input name="token" type="password" autocomplete="current-password" required autofocus /></label>
    ${state.loginError === '' ? nothing : html`<p class="result bad">${state.loginError}</p>`}
    <div class="buttons"><button class="primary">Log in</button></div>
  </form>`;
}

export const toasts = () =>
  html`<div class="toasts" role="region" aria-label="Notices">${repeat(state.toasts, ({ id }) => id, toast)}</div>`;

/** @param {Toast} toast */
const toast = ({ id, tone, text, detail, action }) =>
  html`<div class="toast" data-toast=${id}>
    <span class="condition ${tone}"></span>
    <div>
      <p>${text}</p>
      ${detail === undefined ? nothing : detail.map((line) => html`<p class="detail">${line}</p>`)}
    </div>
    ${
      action === undefined
        ? nothing
        : html`<button
            @click=${() => {
              dismiss(id);
              action.run();
            }}
          >
            ${action.label}
          </button>`
    }
    <button class="quiet icon-button" aria-label="Dismiss notice" @click=${() => dismiss(id)}>${icons.close}</button>
  </div>`;
