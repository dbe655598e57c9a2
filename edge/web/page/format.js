// Takes numbers with their units, gives short text for people. Knows no language but English, no DOM.

/** @param {number} bytes */
export function bytes(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB'];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${short(value)} ${units[unit]}`;
}

/**
 * Both in the unit of the greater.
 * @param {number} used
 * @param {number} size
 */
export function bytesOf(used, size) {
  const [value, unit] = bytes(size).split(' ');
  const scale = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }[unit ?? 'B'] ?? 1;
  return `${short(used / scale)} / ${value} ${unit}`;
}

/** @param {number} perSecond */
export const rate = (perSecond) => (perSecond >= 1000 ? `${short(perSecond / 1000)} k` : short(perSecond));

/** @param {number} microseconds */
export function latency(microseconds) {
  if (microseconds < 1000) return `${short(microseconds)} µs`;
  if (microseconds < 1_000_000) return `${short(microseconds / 1000)} ms`;
  return `${short(microseconds / 1_000_000)} s`;
}

/** @param {number} milliseconds */
export const duration = (milliseconds) => latency(milliseconds * 1000);

/**
 * Three significant digits.
 * @param {number} value
 */
function short(value) {
  if (value === 0) return '0';
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1).replace(/\.0$/, '');
  return value.toFixed(2).replace(/\.?0+$/, '');
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** @param {number} time milliseconds since 1970 */
export const time = (time) => clock.format(time);

/**
 * @param {number} count
 * @param {string} noun
 */
export const count = (count, noun) => `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;

/**
 * `edge:x` and `device:x` as people say them.
 * @param {string} place
 */
export const placeName = (place) => place.slice(place.indexOf(':') + 1);

/**
 * @param {string} text
 * @param {string} query words, all of which must occur
 */
export function matches(text, query) {
  if (query === '') return true;
  const lower = text.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => lower.includes(word));
}
