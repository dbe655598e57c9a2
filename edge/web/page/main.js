// Starts the page: puts views, pointer, keyboard and the events of the edge together. Takes the document.
import { render } from './lit-html/lit-html.js';
import { drawWith, move, start, state, unfit } from './app.js';
import { openDeploy } from './deploy.js';
import { dragging, dropping } from './drag.js';
import { focusCard, keys } from './keys.js';
import { drawRoutes } from './routes.js';
import { shell } from './view/shell.js';

const root = /** @type {HTMLElement} */ (document.getElementById('page'));

/** Whether the log is read at its end, and so stays there. */
const atEnd = (/** @type {Element} */ lines) => lines.scrollHeight - lines.scrollTop - lines.clientHeight < 24;

/**
 * What has the focus goes away with its card when the module moves: then its card at the new place gets it.
 * @returns {() => void} to be called after drawing
 */
function keepFocus() {
  const key = document.activeElement?.closest('[data-module]')?.getAttribute('data-module');
  return () => {
    if (typeof key === 'string' && document.activeElement === document.body) focusCard(root, key);
  };
}

function draw() {
  const focus = keepFocus();
  const lines = root.querySelector('[data-follow]');
  const follow = lines === null || atEnd(lines);
  render(shell(), root);
  focus();
  const after = root.querySelector('[data-follow]');
  if (follow && after !== null) after.scrollTop = after.scrollHeight;
  drawRoutes(state.fleet.moves);
}

drawWith(draw);
draw();
dragging(root, {
  may: (key) => {
    const module = state.fleet.modules.get(key);
    return module !== undefined && module.hash !== '' && !state.fleet.moves.has(key);
  },
  fits: (key, place) => unfit(key, place) === null,
  placeOf: (key) => state.fleet.modules.get(key)?.place ?? null,
  drop: (key, place) => void move(key, place),
});
dropping(root, (place, files) => void openDeploy(place, files));
keys(root);
addEventListener('resize', () => drawRoutes(state.fleet.moves));
start();
