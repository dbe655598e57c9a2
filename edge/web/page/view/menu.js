// Menus by the pattern of the ARIA practices: arrow keys, Home, End, first letters, Escape. Takes groups of items and what
// they hang on; gives a template. The menu of a module is here too: its places to move to, and what else can be done.
/** @import { Menu, MenuItem } from '../app.js' */
/** @import { Module } from '../fleet.js' */
/** @import { PlaceRecord } from '../../../fleet/types.js' */
import { html, nothing } from '../lit-html/lit-html.js';
import { ref } from '../lit-html/directives/ref.js';
import { move, remove, run, state, unfit, update } from '../app.js';
import { placeName } from '../format.js';
import { isFixed } from './card.js';

/** More places than this are not gone through with arrow keys: the others are asked for by name. */
const MAX_TARGETS = 30;

/** @param {Module} module */
const edgeOf = ({ place }) => state.fleet.places.get(place)?.edge ?? placeName(place);

/**
 * @param {Module} module
 * @param {HTMLElement} anchor
 */
export function openModuleMenu(module, anchor) {
  const moving = state.fleet.moves.has(module.key);
  const fixed = isFixed(module);
  const byName = new Intl.Collator('en', { numeric: true }).compare;
  const near = (/** @type {PlaceRecord} */ { edge }) => (edge === edgeOf(module) ? 0 : 1);
  const all = [...state.fleet.places.values()];
  const places = all.sort((a, b) => near(a) - near(b) || byName(a.kind + a.name, b.kind + b.name));
  /** @type {MenuItem[]} */
  const targets = places.slice(0, MAX_TARGETS).map(({ name, kind }) => ({
    label: placeName(name),
    hint:
      name === module.place ? 'is here' : unfit(module.key, name) === null ? kind : `only ${unfit(module.key, name)}`,
    disabled: name === module.place || unfit(module.key, name) !== null || moving || fixed,
    run: () => void move(module.key, name),
  }));
  if (places.length > MAX_TARGETS)
    targets.push({
      label: 'Another place…',
      hint: String(places.length - MAX_TARGETS),
      disabled: moving || fixed,
      run: () => {
        state.dialog = { kind: 'place', key: module.key };
        update();
      },
    });
  const stopped = module.stats?.state === 'stopped' || module.stats?.state === 'failed';
  /** @type {MenuItem[]} */
  const actions = [
    stopped
      ? { label: 'Start', disabled: moving, run: () => void run(module, 'start') }
      : { label: 'Stop', disabled: moving || fixed, run: () => void run(module, 'stop') },
    { label: 'Restart', disabled: moving || fixed, run: () => void run(module, 'restart') },
    { label: 'Remove…', disabled: moving || fixed, danger: true, run: () => remove(module) },
  ];
  const label = fixed ? 'Part of the firmware: stays here' : 'Move to…';
  open({
    title: module.module,
    anchor,
    groups: [
      { label, items: targets },
      { label: 'Module', items: actions },
    ],
  });
}

/** @param {Menu} menu */
function open(menu) {
  state.menu = menu;
  update();
}

/** @param {boolean} back whether the focus returns to where it was */
export function closeMenu(back) {
  const anchor = state.menu?.anchor;
  if (anchor === undefined) return;
  state.menu = null;
  update();
  if (back) anchor.focus();
}

/** @param {Menu} menu */
export function menu(menu) {
  const { title, groups } = menu;
  return html`<div class="menu-cover" @pointerdown=${() => closeMenu(true)}></div>
    <div class="menu" role="menu" aria-label=${title} @keydown=${onKey} ${ref(placed)}>
      ${groups.map(
        ({ label, items }) =>
          html`<div role="group" aria-label=${label}>
            <div class="menu-label" aria-hidden="true">${label}</div>
            ${items.map(item)}
          </div>`,
      )}
    </div>`;
}

/** @param {MenuItem} item */
const item = ({ label, hint, disabled, danger, run }) =>
  html`<button
    role="menuitem"
    tabindex="-1"
    class=${danger === true ? 'danger' : ''}
    aria-disabled=${disabled === true}
    @click=${() => {
      if (disabled === true) return;
      closeMenu(true);
      run();
    }}
  >
    ${label}${hint === undefined ? nothing : html`<span class="hint">${hint}</span>`}
  </button>`;

/** Beside its button, inside of the window, the first item that can be chosen in focus. @param {Element | undefined} element */
function placed(element) {
  const anchor = state.menu?.anchor;
  if (!(element instanceof HTMLElement) || anchor === undefined || element.dataset['placed'] === 'yes') return;
  element.dataset['placed'] = 'yes';
  // The contents are laid out once the template is complete.
  queueMicrotask(() => {
    const at = anchor.getBoundingClientRect();
    const { width, height } = element.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.right - width, innerWidth - width - 8));
    const below = at.bottom + 4 + height <= innerHeight - 8;
    const top = below ? at.bottom + 4 : Math.max(8, at.top - 4 - height);
    element.style.left = `${left}px`;
    element.style.top = `${top}px`;
    focusItem(element, items(element).find((entry) => entry.ariaDisabled !== 'true') ?? items(element)[0]);
  });
}

/** @param {Element} menu */
const items = (menu) => /** @type {HTMLElement[]} */ ([...menu.querySelectorAll('[role=menuitem]')]);

/**
 * @param {Element} menu
 * @param {HTMLElement | undefined} target
 */
function focusItem(menu, target) {
  for (const entry of items(menu)) entry.tabIndex = entry === target ? 0 : -1;
  target?.focus();
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  const menu = /** @type {HTMLElement} */ (event.currentTarget);
  const all = items(menu);
  const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const go = (/** @type {HTMLElement | undefined} */ target) => {
    event.preventDefault();
    event.stopPropagation();
    focusItem(menu, target);
  };
  if (event.key === 'ArrowDown') return go(all[(at + 1) % all.length]);
  if (event.key === 'ArrowUp') return go(all[(at - 1 + all.length) % all.length]);
  if (event.key === 'Home') return go(all[0]);
  if (event.key === 'End') return go(all.at(-1));
  if (event.key === 'Escape' || event.key === 'Tab') {
    event.preventDefault();
    event.stopPropagation();
    return closeMenu(true);
  }
  if (/^\S$/.test(event.key) && !event.ctrlKey && !event.metaKey) {
    const letter = event.key.toLowerCase();
    const order = [...all.slice(at + 1), ...all.slice(0, at + 1)];
    const found = order.find((entry) => entry.textContent?.trim().toLowerCase().startsWith(letter));
    if (found !== undefined) go(found);
  }
}
