// Follows the events of the edge. Takes what to do with them; gives a function that ends it. Connects again by itself, and
// tells when the edge is away or wants a login. Knows no fleet.
/** @import { FleetEvent } from '../../fleet/events.js' */
import { ApiError } from './api.js';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** Stats come every second: an open line that brings nothing for so long leads nowhere. */
const SILENCE_MS = 20_000;

/**
 * @typedef {object} Following
 * @property {() => Promise<void>} load asks for the whole fleet; throws ApiError
 * @property {(event: FleetEvent, id: number) => void} event
 * @property {() => void} live
 * @property {(retryInMs: number) => void} away
 * @property {() => void} login
 */

/** @param {Following} to */
export function follow(to) {
  /** @type {EventSource | null} */
  let source = null;
  let pause = FIRST_PAUSE_MS;
  let last = '0';
  let heard = 0;
  let ended = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const watch = setInterval(() => {
    if (source !== null && performance.now() - heard > SILENCE_MS) retry();
  }, 2000);

  /** @param {MessageEvent} message */
  const onMessage = (message) => {
    heard = performance.now();
    if (message.lastEventId !== '') last = message.lastEventId;
    to.event(JSON.parse(message.data), Number(message.lastEventId));
  };

  async function connect() {
    try {
      await to.load();
    } catch (error) {
      if (ended) return;
      if (error instanceof ApiError && error.status === 401) return to.login();
      return retry();
    }
    if (ended) return;
    heard = performance.now();
    // The first time from as far back as the edge remembers, for the log; then from where the page was.
    source = new EventSource(`api/events?${new URLSearchParams({ since: last })}`);
    source.onopen = () => {
      pause = FIRST_PAUSE_MS;
      heard = performance.now();
      to.live();
    };
    // The browser's own attempts do not ask for the fleet again and do not tell of a login.
    source.onerror = retry;
    source.onmessage = onMessage;
  }

  function retry() {
    close();
    if (ended) return;
    to.away(pause);
    timer = setTimeout(() => void connect(), pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }

  function close() {
    source?.close();
    source = null;
    clearTimeout(timer);
  }

  void connect();
  return {
    /** At once, not after the pause. */
    now() {
      close();
      pause = FIRST_PAUSE_MS;
      void connect();
    },
    end() {
      ended = true;
      clearInterval(watch);
      close();
    },
  };
}
