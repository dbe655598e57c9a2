// A service followed over HTTP: its representations as server-sent events, one when it begins and one after each change
// (`GET /things/THING/PATH` with `Accept: text/event-stream`). Takes a way to ask and to observe; knows no place.
import type { FastifyReply } from 'fastify';
import type { PayloadType } from '../../manifest/model.js';
import type { Answer } from '../worker/protocol.js';
import { codeName, codeText } from './codes.js';
import { payloadToJson } from './json.js';
import { beginEvents, followEvents } from './sse.js';

export interface Observed {
  readonly ask: () => Promise<Answer>;
  /** Null: it cannot be observed. */
  readonly observe: (changed: () => void) => (() => void) | null;
  /** Null: not known; bytes are base64 text. */
  readonly type: PayloadType | null;
}

/** False if the service cannot be observed; then nothing has been sent. */
export function streamChanges(reply: FastifyReply, { ask, observe, type }: Observed): boolean {
  let busy = false;
  let again = false;
  let ended = false;
  // Changes while an answer is fetched are one more fetch: what counts is the last state (RFC 7641).
  const changed = async (): Promise<void> => {
    again = true;
    if (busy) return;
    busy = true;
    while (again && !ended) {
      again = false;
      const answer = await ask();
      if (!ended) raw.write(message(answer, type));
    }
    busy = false;
  };
  const stop = observe(() => void changed());
  if (stop === null) return false;
  const raw = beginEvents(reply);
  followEvents(raw, () => {
    ended = true;
    stop();
  });
  void changed();
  return true;
}

/** What the service shows, or `event: refused` with code and text. */
function message({ code, payload }: Answer, type: PayloadType | null): string {
  if (code >> 5 !== 2) {
    const text = Buffer.from(payload).toString('utf8');
    const refused = { code: codeText(code), message: text === '' ? codeName(code) : text };
    return `event: refused\ndata: ${JSON.stringify(refused)}\n\n`;
  }
  const value = type === null ? Buffer.from(payload).toString('base64') : payloadToJson(payload, type);
  return `data: ${JSON.stringify(value)}\n\n`;
}
