// Draws the moves that are under way as lines over the map, from the card to where it goes. Takes the moves; sets an SVG
// of its own above the page. Knows cards and places by their data attributes only.
/** @import { MoveEvent } from '../../fleet/events.js' */

const SVG = 'http://www.w3.org/2000/svg';

/** @param {Iterable<[string, MoveEvent]>} moves */
export function drawRoutes(moves) {
  const canvas = document.getElementById('routes');
  if (canvas === null) return;
  const origin = canvas.getBoundingClientRect();
  const parts = [];
  for (const [key, move] of moves) {
    const from = boxOf(`[data-module="${CSS.escape(key)}"]`);
    const to = boxOf(`[data-arriving="${CSS.escape(key)}"]`) ?? boxOf(`[data-place="${CSS.escape(move.to)}"]`);
    if (from === null || to === null) continue;
    const path = shape('path', { d: curve(from, to, origin), class: 'route' });
    const at = path.getPointAtLength(path.getTotalLength() * move.progress);
    parts.push(path, shape('circle', { cx: String(at.x), cy: String(at.y), r: '5', class: 'traveller' }));
  }
  if (parts.length > 0 || canvas.childElementCount > 0) canvas.replaceChildren(...parts);
}

/** @param {string} selector */
function boxOf(selector) {
  const box = document.querySelector(`main ${selector}`)?.getBoundingClientRect();
  return box === undefined || box.width === 0 ? null : box;
}

/**
 * From side to side, or from below to above: whichever faces the other.
 * @param {DOMRect} from
 * @param {DOMRect} to
 * @param {DOMRect} origin
 */
function curve(from, to, origin) {
  const [x, y] = [-origin.left, -origin.top];
  const right = to.left >= from.right;
  const aside = Math.max(to.left - from.right, from.left - to.right);
  const apart = Math.max(to.top - from.bottom, from.top - to.bottom);
  if (aside > apart) {
    const a = { x: (right ? from.right : from.left) + x, y: from.top + from.height / 2 + y };
    const b = { x: (right ? to.left : to.right) + x, y: to.top + Math.min(to.height / 2, 60) + y };
    const bend = Math.max(40, Math.abs(b.x - a.x) / 2) * (right ? 1 : -1);
    return `M${a.x} ${a.y}C${a.x + bend} ${a.y} ${b.x - bend} ${b.y} ${b.x} ${b.y}`;
  }
  const down = to.top >= from.top;
  const a = { x: from.left + from.width / 2 + x, y: (down ? from.bottom : from.top) + y };
  const b = { x: to.left + to.width / 2 + x, y: (down ? to.top : to.bottom) + y };
  const bend = Math.max(24, Math.abs(b.y - a.y) / 2) * (down ? 1 : -1);
  return `M${a.x} ${a.y}C${a.x} ${a.y + bend} ${b.x} ${b.y - bend} ${b.x} ${b.y}`;
}

/**
 * @template {'path' | 'circle'} N
 * @param {N} name
 * @param {Record<string, string>} attributes
 */
function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return /** @type {SVGElementTagNameMap[N]} */ (element);
}
