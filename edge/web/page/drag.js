// Dragging a module by mouse, pen or finger. Takes pointer events of the map; says which module is to go where. Knows cards
// and places by their data attributes only. Fingers drag by the handle, so that the page can be scrolled everywhere else.

/** Pixels before a press becomes a drag. */
const THRESHOLD = 6;
/** Near its upper and lower end the map scrolls, so many pixels a frame at most. */
const SCROLL_ZONE = 64;
const SCROLL_STEP = 14;

/**
 * @param {HTMLElement} root
 * @param {{ may: (key: string) => boolean, fits: (key: string, place: string) => boolean, placeOf: (key: string) => string | null, drop: (key: string, place: string) => void }} to
 */
export function dragging(root, { may, fits, placeOf, drop }) {
  /** @type {{ key: string, card: HTMLElement, ghost: HTMLElement | null, id: number, x: number, y: number, dx: number, dy: number, target: HTMLElement | null } | null} */
  let drag = null;
  let frame = 0;

  root.addEventListener('pointerdown', (event) => {
    const target = /** @type {Element} */ (event.target);
    const card = target.closest('[data-module]');
    if (!(card instanceof HTMLElement) || drag !== null || event.button !== 0 || !event.isPrimary) return;
    if (target.closest('[data-menu], input, a')) return;
    if (event.pointerType === 'touch' && target.closest('[data-grip]') === null) return;
    const key = card.dataset['module'] ?? '';
    if (!may(key)) return;
    const at = card.getBoundingClientRect();
    const [dx, dy] = [event.clientX - at.left, event.clientY - at.top];
    drag = { key, card, ghost: null, id: event.pointerId, x: event.clientX, y: event.clientY, dx, dy, target: null };
  });

  addEventListener('pointermove', (event) => {
    if (drag === null || event.pointerId !== drag.id) return;
    if (drag.ghost === null) {
      if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < THRESHOLD) return;
      begin();
    }
    drag.x = event.clientX;
    drag.y = event.clientY;
    show();
  });

  addEventListener('pointerup', (event) => {
    if (drag === null || event.pointerId !== drag.id) return;
    const { key, target, ghost } = drag;
    if (ghost !== null) swallowClick();
    end();
    const place = target?.dataset['place'];
    if (place !== undefined && place !== placeOf(key)) drop(key, place);
  });
  addEventListener('pointercancel', end);
  addEventListener('blur', end);
  addEventListener(
    'keydown',
    (event) => {
      if (!drag?.ghost || event.key !== 'Escape') return;
      event.preventDefault();
      event.stopPropagation();
      swallowClick();
      end();
    },
    true,
  );
  // Text and images are not dragged by the browser while a card is.
  root.addEventListener('dragstart', (event) => event.preventDefault());

  function begin() {
    if (drag === null) return;
    const { card } = drag;
    const ghost = /** @type {HTMLElement} */ (card.cloneNode(true));
    ghost.classList.add('ghost');
    ghost.ariaHidden = 'true';
    ghost.inert = true;
    ghost.style.width = `${card.offsetWidth}px`;
    document.body.append(ghost);
    card.classList.add('lifted');
    document.body.classList.add('dragging');
    for (const place of root.querySelectorAll('[data-place]')) {
      const name = place.getAttribute('data-place') ?? '';
      place.classList.toggle('home', name === placeOf(drag.key));
      place.classList.toggle('unfit', !fits(drag.key, name));
    }
    drag.ghost = ghost;
    frame = requestAnimationFrame(scroll);
  }

  function show() {
    if (!drag?.ghost) return;
    const { ghost, x, y, dx, dy } = drag;
    ghost.style.transform = `translate(${x - dx}px, ${y - dy}px)`;
    const below = document.elementFromPoint(x, y)?.closest('[data-place]');
    const target = below instanceof HTMLElement ? below : null;
    if (target === drag.target) return;
    drag.target?.classList.remove('over');
    target?.classList.add('over');
    drag.target = target;
  }

  function scroll() {
    if (!drag?.ghost) return;
    const area = root.querySelector('main')?.getBoundingClientRect();
    const up = (area?.top ?? 0) + SCROLL_ZONE - drag.y;
    const down = drag.y - ((area?.bottom ?? innerHeight) - SCROLL_ZONE);
    const force = up > 0 ? -up : down > 0 ? down : 0;
    if (force !== 0) {
      root
        .querySelector('main')
        ?.scrollBy(0, (Math.max(-SCROLL_ZONE, Math.min(SCROLL_ZONE, force)) / SCROLL_ZONE) * SCROLL_STEP);
      show();
    }
    frame = requestAnimationFrame(scroll);
  }

  function end() {
    if (drag === null) return;
    cancelAnimationFrame(frame);
    drag.ghost?.remove();
    drag.card.classList.remove('lifted');
    for (const place of root.querySelectorAll('[data-place]')) place.classList.remove('over', 'home', 'unfit');
    document.body.classList.remove('dragging');
    drag = null;
  }

  /** The click that ends a drag does not open what it ended on. */
  function swallowClick() {
    const swallow = (/** @type {Event} */ event) => {
      event.preventDefault();
      event.stopPropagation();
    };
    addEventListener('click', swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener('click', swallow, { capture: true }), 0);
  }
}

/**
 * Files from the desktop, dropped on a place.
 * @param {HTMLElement} root
 * @param {(place: string, files: File[]) => void} drop
 */
export function dropping(root, drop) {
  /** @type {Element | null} */
  let over = null;
  const mark = (/** @type {Element | null} */ place) => {
    if (place === over) return;
    over?.classList.remove('over');
    place?.classList.add('over');
    over = place;
  };
  const hasFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes('Files') === true;
  addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    // Always, or a file dropped beside a place would replace the page.
    event.preventDefault();
    const place = event.target instanceof Element ? event.target.closest('[data-place]') : null;
    if (event.dataTransfer !== null) event.dataTransfer.dropEffect = place === null ? 'none' : 'copy';
    mark(place);
  });
  addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) mark(null);
  });
  addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    mark(null);
    const place = event.target instanceof Element ? event.target.closest('[data-place]') : null;
    const name = place instanceof HTMLElement ? place.dataset['place'] : undefined;
    const files = [...(event.dataTransfer?.files ?? [])];
    if (name !== undefined && root.contains(place) && files.length > 0) drop(name, files);
  });
}
