// Names of NATS subjects. Takes names of edges; knows no message.
import { encodeToken } from '../registry/keys.js';

export class Subjects {
  private readonly prefix: string;

  constructor(
    prefix: string,
    private readonly self: { readonly edge: string; readonly session: string },
  ) {
    this.prefix = encodeToken(prefix);
  }

  /** Requests to an edge. */
  edge(name: string): string {
    return `${this.prefix}.edge.${encodeToken(name)}`;
  }

  /** Answers to this run of this edge; `*` for all. */
  answers(number: string): string {
    return `${this.prefix}.answer.${encodeToken(this.self.edge)}.${encodeToken(this.self.session)}.${number}`;
  }

  numberOf(subject: string): number {
    return Number(subject.slice(subject.lastIndexOf('.') + 1));
  }

  /** Changes that an edge observes elsewhere, by its run. */
  changed(edge: string, session: string): string {
    return `${this.prefix}.changed.${encodeToken(edge)}.${encodeToken(session)}`;
  }

  /** Events of an edge; null: of all. */
  events(edge: string | null): string {
    return `${this.prefix}.events.${edge === null ? '*' : encodeToken(edge)}`;
  }
}
