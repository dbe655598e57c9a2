// Requests of other edges to this one: each is checked, run once and answered, a repetition from memory. Takes handlers of
// operations; knows none.
import type { Msg, Subscription } from '@nats-io/transport-node';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { RecentAnswers } from '../fleet/recent-answers.js';
import { NOT_HERE, Unsettled } from '../fleet/types.js';
import { Unreachable } from '../router/unreachable.js';
import type { Envelopes, Opened } from '../security/envelope.js';
import type { Blobs } from './blobs.js';
import type { Connection } from './connection.js';
import type { Subjects } from './subjects.js';
import { pack, unpack, UNSETTLED, type AnswerBody, type Operation, type RequestBody } from './wire.js';

/** Of a request that is being run. */
export interface Asked {
  /** The edge that asks. */
  readonly from: string;
  /** On whose behalf, as that edge says. */
  readonly caller: string;
  /** The same for each repetition. */
  readonly id: string;
  readonly withinMs: number;
}

/** Gives a value, or NOT_HERE. Throws Unreachable, Unknown, or an error whose text goes back. */
export type Handler = (args: never, asked: Asked) => Promise<unknown>;

/** Thrown by a handler when it is not known whether something has run. */
export class Unknown extends Error {}

export interface EdgeServiceOptions {
  readonly connection: Connection;
  readonly subjects: Subjects;
  readonly envelopes: Envelopes;
  readonly blobs: Blobs;
  readonly edge: string;
  readonly session: string;
  readonly handlers: Readonly<Record<Operation, Handler>>;
  /** Requests of all other edges at a time; more are refused before anything is done. */
  readonly maxRunning?: number;
}

const DEFAULT_MAX_RUNNING = 10_000;
const nothingHasRun = ([status]: AnswerBody): boolean =>
  status === 'not here' || status === 'busy' || status === 'unreached';

export class EdgeService {
  private readonly recent = new RecentAnswers<AnswerBody>(nothingHasRun);
  private readonly requests: Subscription;
  private running = 0;
  /** Messages that were no valid requests. */
  refused = 0;

  constructor(private readonly options: EdgeServiceOptions) {
    const { connection, subjects, edge } = options;
    this.requests = connection.client.subscribe(subjects.edge(edge), {
      callback: (error, message) => {
        if (error === null) this.receive(message).catch(() => this.refused++);
      },
    });
  }

  close(): void {
    this.requests.unsubscribe();
  }

  private async receive(message: Msg): Promise<void> {
    const { envelopes, blobs, connection, session } = this.options;
    const opened = envelopes.open(message.data, { kind: 'request' });
    const [operation, id, wanted, withinMs, args] = (await unpack(opened.body, blobs)) as RequestBody;
    const answer =
      wanted === session
        ? await this.recent.once(`${opened.from} ${id}`, () => this.run(operation, id, withinMs, args, opened))
        : (['gone'] as const);
    const body = await pack(answer, blobs, connection.maxPayload);
    const { bytes } = envelopes.seal({ kind: 'answer', to: opened.from, caller: '', body, re: opened.id });
    // Without a connection the asker repeats, and gets the answer from memory.
    if (message.reply !== undefined && connection.connected && !connection.client.isClosed())
      connection.client.publish(message.reply, bytes);
  }

  private async run(
    operation: Operation,
    id: string,
    withinMs: number,
    args: unknown,
    { from, caller }: Opened,
  ): Promise<AnswerBody> {
    const { handlers, maxRunning = DEFAULT_MAX_RUNNING } = this.options;
    if (!Object.hasOwn(handlers, operation)) return ['refused', `no operation ${String(operation)}`, null];
    if (this.running >= maxRunning) return ['busy'];
    this.running++;
    try {
      const value = await handlers[operation](args as never, { from, caller, id, withinMs });
      return value === NOT_HERE ? ['not here'] : ['ok', value ?? null];
    } catch (error) {
      if (error instanceof Unreachable) return ['unreached'];
      if (error instanceof Unknown) return ['broken'];
      const { message } = error as Error;
      if (error instanceof Unsettled) return ['refused', message, UNSETTLED];
      return ['refused', message, error instanceof DiagnosticError ? error.code : null];
    } finally {
      this.running--;
    }
  }
}
