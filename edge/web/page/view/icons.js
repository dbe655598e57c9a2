// Gives small drawings, 16 by 16, in the colour of the text. All are decoration: names stand beside them or in labels.
import { html, svg } from '../lit-html/lit-html.js';

/** @param {unknown} shape */
const icon = (shape) => html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">${shape}</svg>`;

export const icons = {
  edge: icon(
    svg`<rect x="2" y="2.5" width="12" height="4.5" rx="1.2"/><rect x="2" y="9" width="12" height="4.5" rx="1.2"/><path d="M4.5 4.75h.01M4.5 11.25h.01M7.5 4.75h4M7.5 11.25h4"/>`,
  ),
  device: icon(
    svg`<rect x="4" y="4" width="8" height="8" rx="1.2"/><path d="M6 1.5v2.5M10 1.5v2.5M6 12v2.5M10 12v2.5M1.5 6H4M1.5 10H4M12 6h2.5M12 10h2.5"/>`,
  ),
  grip: icon(
    svg`<g class="dots"><circle cx="6" cy="4" r="1"/><circle cx="10" cy="4" r="1"/><circle cx="6" cy="8" r="1"/><circle cx="10" cy="8" r="1"/><circle cx="6" cy="12" r="1"/><circle cx="10" cy="12" r="1"/></g>`,
  ),
  more: icon(
    svg`<g class="dots"><circle cx="3.5" cy="8" r="1.1"/><circle cx="8" cy="8" r="1.1"/><circle cx="12.5" cy="8" r="1.1"/></g>`,
  ),
  fault: icon(svg`<path d="M8 2.2 14.2 13H1.8zM8 6.4v3M8 11.3v.01"/>`),
  close: icon(svg`<path d="m4 4 8 8M12 4l-8 8"/>`),
  chevron: icon(svg`<path d="m6 4 4 4-4 4"/>`),
  upload: icon(svg`<path d="M8 10.5v-8M4.8 5.5 8 2.3l3.2 3.2M2.5 10.5v3h11v-3"/>`),
  pause: icon(svg`<path d="M5.5 3.5v9M10.5 3.5v9"/>`),
  play: icon(svg`<path d="M5 3.2v9.6L12.5 8z"/>`),
  auto: icon(svg`<circle cx="8" cy="8" r="5.5"/><path class="fill" d="M8 2.5a5.5 5.5 0 0 1 0 11z"/>`),
  light: icon(
    svg`<circle cx="8" cy="8" r="2.8"/><path d="M8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1"/>`,
  ),
  dark: icon(svg`<path d="M13.3 9.6A5.6 5.6 0 0 1 6.4 2.7a5.6 5.6 0 1 0 6.9 6.9z"/>`),
  search: icon(svg`<circle cx="7" cy="7" r="4.2"/><path d="m10.2 10.2 3.5 3.5"/>`),
  eye: icon(
    svg`<path d="M1.5 8S4 3.7 8 3.7 14.5 8 14.5 8 12 12.3 8 12.3 1.5 8 1.5 8z"/><circle cx="8" cy="8" r="1.8"/>`,
  ),
  lock: icon(svg`<rect x="3.5" y="7" width="9" height="6.5" rx="1.2"/><path d="M5.5 7V5a2.5 2.5 0 0 1 5 0v2"/>`),
};
