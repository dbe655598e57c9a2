// The map by keyboard: arrow keys go from card to card, M opens the menu to move, Escape closes the details. Takes the root
// of the page; knows cards by their data attributes only.
import { select, state, update } from './app.js';
import { currentCard } from './view/map.js';

/** @param {HTMLElement} root */
export function keys(root) {
  root.addEventListener('focusin', (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const key = target.dataset['card'] ?? target.dataset['menu'];
    const list = target.closest('[data-list]');
    if (key === undefined || !(list instanceof HTMLElement)) return;
    const name = list.dataset['list'] ?? '';
    if (currentCard.get(name) === key) return;
    currentCard.set(name, key);
    update();
  });
  root.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key === 'Escape' && state.selection !== null && target.closest('dialog, input, [role=menu]') === null) {
      const { selection } = state;
      select(null);
      if (selection.kind === 'module') focusCard(root, selection.key);
      return;
    }
    const card = target.closest('[data-module]');
    if (!(card instanceof HTMLElement)) return;
    if (event.key === 'm' || event.key === 'M') {
      event.preventDefault();
      const button = card.querySelector('[data-menu]');
      if (button instanceof HTMLElement) button.click();
      return;
    }
    const next = neighbour(root, card, event.key);
    if (next === null) return;
    event.preventDefault();
    next.focus();
  });
}

/**
 * The card in that direction: the next in the list to the sides, the nearest on the screen up and down.
 * @param {HTMLElement} root
 * @param {HTMLElement} card
 * @param {string} key
 * @returns {HTMLElement | null}
 */
function neighbour(root, card, key) {
  const all = /** @type {HTMLElement[]} */ ([...root.querySelectorAll('[data-card]')]);
  const at = all.findIndex((entry) => entry.dataset['card'] === card.dataset['module']);
  if (key === 'ArrowRight') return all[at + 1] ?? null;
  if (key === 'ArrowLeft') return all[at - 1] ?? null;
  if (key === 'Home') return all[0] ?? null;
  if (key === 'End') return all.at(-1) ?? null;
  if (key !== 'ArrowDown' && key !== 'ArrowUp') return null;
  const here = card.getBoundingClientRect();
  const sign = key === 'ArrowDown' ? 1 : -1;
  let best = null;
  let least = Infinity;
  for (const entry of all) {
    const box = entry.closest('[data-module]')?.getBoundingClientRect();
    if (box === undefined) continue;
    const down = (box.top - here.top) * sign;
    if (down < 4) continue;
    const distance = down + Math.abs(box.left - here.left) * 2;
    if (distance < least) [least, best] = [distance, entry];
  }
  return best;
}

/**
 * @param {HTMLElement} root
 * @param {string} key
 */
export function focusCard(root, key) {
  const card = root.querySelector(`[data-card="${CSS.escape(key)}"]`);
  if (card instanceof HTMLElement) card.focus();
}
