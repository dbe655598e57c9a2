// Services behind other edges: a link for each place there, and the other side of it. Takes the client and local links; knows
// nothing of moves.
import { ResponseCode } from '../../compiler/abi/os-layout.js';
import { NOT_HERE, type PlaceAnswer, type PlaceLink } from '../fleet/types.js';
import type { ServiceRequest } from '../host/types.js';
import { Unreachable } from '../router/unreachable.js';
import type { Answer } from '../worker/protocol.js';
import { Busy, type EdgeClient } from './client.js';
import type { RemoteObservations } from './observe-client.js';
import { Unknown, type Asked } from './service.js';

/** [place, thing, method, uri, room for the answer, payload] */
type CallArguments = readonly [string, string, number, string, number, Uint8Array];
/** [code, payload] */
type CallAnswer = readonly [number, Uint8Array];

/** When the router has set no time. */
const DEFAULT_WITHIN_MS = 10_000;
const NOTHING = new Uint8Array(0);

export class RemoteLink implements PlaceLink {
  constructor(
    readonly name: string,
    /** The edge that has the place, and the run of it. */
    readonly edge: string,
    readonly session: string,
    private readonly client: EdgeClient,
    private readonly observations: RemoteObservations,
  ) {}

  async request(thing: string, request: ServiceRequest, id: string): Promise<PlaceAnswer> {
    const { method, uri, capacity, payload, caller, withinMs = DEFAULT_WITHIN_MS } = request;
    const args: CallArguments = [this.name, thing, method, uri, capacity, payload];
    try {
      const value = await this.client.ask(this.edge, this.session, 'call', args, { withinMs, caller, id });
      if (value === NOT_HERE) return NOT_HERE;
      const [code, answered] = value as CallAnswer;
      return { code, payload: answered };
    } catch (error) {
      if (error instanceof Busy) return { code: ResponseCode.ServiceUnavailable, payload: NOTHING };
      throw error;
    }
  }

  observe(thing: string, uri: string, changed: () => void): () => void {
    return this.observations.observe({ edge: this.edge, session: this.session, place: this.name, thing, uri }, changed);
  }
}

/** Runs a request of another edge at a place here. */
export async function serveCall(
  link: (place: string) => PlaceLink | null,
  [place, thing, method, uri, capacity, payload]: CallArguments,
  { caller, id, withinMs }: Asked,
): Promise<CallAnswer | typeof NOT_HERE> {
  const found = link(place);
  if (found === null) return NOT_HERE;
  let timer: NodeJS.Timeout | undefined;
  // The asker has given up by then: this only ends what would be counted as running.
  const late = new Promise<Answer>((resolve) => {
    timer = setTimeout(() => resolve({ code: ResponseCode.GatewayTimeout, payload: NOTHING }), withinMs);
  });
  try {
    const request = { method, uri, payload, caller, capacity, withinMs };
    const answer = await Promise.race([found.request(thing, request, id), late]);
    return answer === NOT_HERE ? NOT_HERE : [answer.code, answer.payload];
  } catch (error) {
    if (error instanceof Unreachable) throw error;
    throw new Unknown();
  } finally {
    clearTimeout(timer);
  }
}
