// Requests to other edges: a message to the edge's subject, repeated with the same id until it is answered, its time is over
// or the edge is gone. Takes operations; gives answers, or says whether they may have run. Knows no operation.
import { randomUUID } from 'node:crypto';
import type { Subscription } from '@nats-io/transport-node';
import { DiagnosticError, DIAGNOSTICS, type DiagnosticCode } from '../../compiler/diagnostics.js';
import { NOT_HERE, Unsettled } from '../fleet/types.js';
import { Unreachable } from '../router/unreachable.js';
import type { Envelopes } from '../security/envelope.js';
import type { Blobs } from './blobs.js';
import type { Connection } from './connection.js';
import type { Subjects } from './subjects.js';
import { pack, unpack, UNSETTLED, type AnswerBody, type Operation, type RequestBody } from './wire.js';

export interface EdgeClientOptions {
  readonly connection: Connection;
  readonly subjects: Subjects;
  readonly envelopes: Envelopes;
  readonly blobs: Blobs;
  /** The present run of an edge; null: it is not there. */
  readonly sessionOf: (edge: string) => string | null;
  /** Requests to one edge at a time. */
  readonly maxOutstanding?: number;
}

export interface AskOptions {
  readonly withinMs: number;
  /** On whose behalf. */
  readonly caller?: string;
  /** The same for each repetition. */
  readonly id?: string;
}

/** The edge has more to do than it takes: nothing has run. */
export class Busy extends Error {}

/** No answer has come, and none will: it may have run. */
export class Unanswered extends Error {}

interface Pending {
  readonly edge: string;
  readonly session: string;
  /** Numbers of its messages. */
  readonly messages: Set<number>;
  send(): void;
  answered(body: AnswerBody): void;
  failed(error: Error): void;
}

const DEFAULT_MAX_OUTSTANDING = 10_000;
/** Pause before a request is repeated, doubled up to the longest. */
const REPEAT_MS = 1_000;
const LONGEST_REPEAT_MS = 5_000;
const NO_RESPONDERS = 503;

export class EdgeClient {
  private readonly pending = new Set<Pending>();
  private readonly byEdge = new Map<string, number>();
  /** What each message's answer belongs to. */
  private readonly messages = new Map<number, { readonly pending: Pending; readonly envelope: string }>();
  private readonly answers: Subscription;
  private readonly unwatch: () => void;
  private next = 1;

  constructor(private readonly options: EdgeClientOptions) {
    const { connection, subjects } = options;
    this.answers = connection.client.subscribe(subjects.answers('*'), {
      callback: (error, { subject, data, headers }) => {
        if (error === null) void this.receive(subjects.numberOf(subject), data, headers?.code ?? 0);
      },
    });
    this.unwatch = connection.watch((connected) => {
      if (connected) for (const pending of [...this.pending]) pending.send();
    });
  }

  /**
   * @throws Unreachable, Busy: it has certainly not run. Unanswered, Unsettled: it may have run. DiagnosticError, Error: what
   * the other side says
   */
  ask(edge: string, session: string, operation: Operation, args: unknown, options: AskOptions): Promise<unknown> {
    const { connection, sessionOf, maxOutstanding = DEFAULT_MAX_OUTSTANDING } = this.options;
    if (!connection.connected) return Promise.reject(new Unreachable('not connected to NATS'));
    if (sessionOf(edge) !== session) return Promise.reject(new Unreachable(`edge:${edge} is not there`));
    const count = this.byEdge.get(edge) ?? 0;
    if (count >= maxOutstanding) return Promise.reject(new Busy(`${count} requests wait for edge:${edge}`));
    this.byEdge.set(edge, count + 1);
    return new Promise((resolve, reject) => this.begin(edge, session, operation, args, options, resolve, reject));
  }

  /** An edge has begun anew or is gone: what it was asked is not answered any more. */
  edgeChanged(edge: string, session: string | null): void {
    for (const pending of [...this.pending])
      if (pending.edge === edge && pending.session !== session) pending.failed(new Unanswered(`edge:${edge} is gone`));
  }

  close(): void {
    this.unwatch();
    this.answers.unsubscribe();
    for (const pending of [...this.pending]) pending.failed(new Unanswered('this edge is closing'));
  }

  private begin(
    edge: string,
    session: string,
    operation: Operation,
    args: unknown,
    { withinMs, caller = '', id = randomUUID() }: AskOptions,
    resolve: (value: unknown) => void,
    reject: (error: Error) => void,
  ): void {
    const end = performance.now() + withinMs;
    let repeatMs = REPEAT_MS;
    let repeat: NodeJS.Timeout | undefined;
    const late = setTimeout(() => {
      const text = `edge:${edge} has not answered in time`;
      pending.failed(pending.messages.size === 0 ? new Unreachable(text) : new Unanswered(text));
    }, withinMs);
    const over = (): void => {
      clearTimeout(late);
      clearTimeout(repeat);
      if (!this.pending.delete(pending)) return;
      this.byEdge.set(edge, this.byEdge.get(edge)! - 1);
      for (const number of pending.messages) this.messages.delete(number);
    };
    const pending: Pending = {
      edge,
      session,
      messages: new Set(),
      send: () => {
        clearTimeout(repeat);
        repeat = setTimeout(() => pending.send(), repeatMs);
        repeatMs = Math.min(repeatMs * 2, LONGEST_REPEAT_MS);
        const body: RequestBody = [operation, id, session, Math.max(1, Math.ceil(end - performance.now())), args];
        this.transmit(pending, body, caller).catch((error: unknown) => {
          // Nothing was sent so far: it has not run.
          if (pending.messages.size === 0) pending.failed(new Unreachable((error as Error).message));
        });
      },
      answered: (body) => {
        over();
        settle(body, pending.messages.size > 1, resolve, reject);
      },
      failed: (error) => {
        over();
        reject(error);
      },
    };
    this.pending.add(pending);
    pending.send();
  }

  private async transmit(pending: Pending, body: RequestBody, caller: string): Promise<void> {
    const { connection, subjects, envelopes, blobs } = this.options;
    const packed = await pack(body, blobs, connection.maxPayload);
    // What is written while there is no connection would be sent later, perhaps after the caller has given up.
    if (!this.pending.has(pending) || !connection.connected) return;
    const { bytes, id } = envelopes.seal({ kind: 'request', to: pending.edge, caller, body: packed });
    const number = this.next++;
    pending.messages.add(number);
    this.messages.set(number, { pending, envelope: id });
    connection.client.publish(subjects.edge(pending.edge), bytes, { reply: subjects.answers(String(number)) });
  }

  private async receive(number: number, data: Uint8Array, code: number): Promise<void> {
    const { envelopes, blobs } = this.options;
    const message = this.messages.get(number);
    if (message === undefined) return;
    const { pending, envelope } = message;
    if (code === NO_RESPONDERS && data.length === 0) {
      // After a repetition the first may have arrived: the edge may be on its way back.
      if (pending.messages.size === 1) pending.failed(new Unreachable(`edge:${pending.edge} does not listen`));
      return;
    }
    try {
      const { body } = envelopes.open(data, { kind: 'answer', re: envelope, from: pending.edge });
      const answer = (await unpack(body, blobs)) as AnswerBody;
      if (this.pending.has(pending)) pending.answered(answer);
    } catch {
      // Not from the edge that was asked, or damaged: as if nothing had come.
    }
  }
}

function settle(
  body: AnswerBody,
  repeated: boolean,
  resolve: (value: unknown) => void,
  reject: (error: Error) => void,
): void {
  switch (body[0]) {
    case 'ok':
      return resolve(body[1]);
    case 'not here':
      return resolve(NOT_HERE);
    case 'busy':
      return reject(new Busy('the edge has too much to do'));
    case 'unreached':
      return reject(new Unreachable('the place does not answer'));
    case 'gone':
      return reject(repeated ? new Unanswered('the edge has begun anew') : new Unreachable('the edge has begun anew'));
    case 'refused': {
      const [, message, number] = body;
      if (number === UNSETTLED) return reject(new Unsettled(message));
      return reject(
        number !== null && number in DIAGNOSTICS
          ? new DiagnosticError(number as DiagnosticCode, message)
          : new Error(message),
      );
    }
    default:
      return reject(new Unanswered('not known whether it has run'));
  }
}
