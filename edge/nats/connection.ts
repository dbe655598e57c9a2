// The connection to NATS: told apart are connected and not, and it comes back by itself. Takes options of the client; gives
// the client and word of each change. Knows nothing of what is sent.
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import { DiagnosticError } from '../../compiler/diagnostics.js';

/** Pause between attempts to connect again; a random part keeps a fleet from coming all at once. */
const RECONNECT_MS = 250;
const RECONNECT_JITTER_MS = 250;
/** A server that does not answer this often is gone, though the connection seems open. */
const PING_MS = 5_000;
const PINGS_OUT = 2;
const CONNECT_MS = 10_000;

export class Connection {
  private readonly listeners = new Set<(connected: boolean) => void>();
  private up = true;

  private constructor(readonly client: NatsConnection) {
    void this.follow();
  }

  /**
   * @param options go to the NATS client as they are: servers, TLS, credentials
   * @throws DiagnosticError W902 if there is no server, or it refuses
   */
  static async open(name: string, options: NodeConnectionOptions): Promise<Connection> {
    try {
      const client = await connect({
        name,
        maxReconnectAttempts: -1,
        reconnectTimeWait: RECONNECT_MS,
        reconnectJitter: RECONNECT_JITTER_MS,
        pingInterval: PING_MS,
        maxPingOut: PINGS_OUT,
        timeout: CONNECT_MS,
        noAsyncTraces: true,
        ...options,
      });
      return new Connection(client);
    } catch (error) {
      throw new DiagnosticError('W902', `NATS at ${String(options.servers)}: ${(error as Error).message}`);
    }
  }

  get connected(): boolean {
    return this.up;
  }

  /** Most bytes of one message, as the server says. */
  get maxPayload(): number {
    return this.client.info?.max_payload ?? 1024 * 1024;
  }

  /** Called with each change; gives a function that ends it. */
  watch(listener: (connected: boolean) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Until connected, at most `ms`; false: it is not. */
  whenConnected(ms: number): Promise<boolean> {
    if (this.up || ms <= 0) return Promise.resolve(this.up);
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        unwatch();
        resolve(this.up);
      };
      const timer = setTimeout(end, ms);
      const unwatch = this.watch(end);
    });
  }

  async close(): Promise<void> {
    this.set(false);
    this.listeners.clear();
    await this.client.close();
  }

  private set(up: boolean): void {
    if (this.up === up) return;
    this.up = up;
    for (const listener of [...this.listeners]) listener(up);
  }

  private async follow(): Promise<void> {
    for await (const { type } of this.client.status()) {
      if (type === 'disconnect' || type === 'staleConnection' || type === 'close') this.set(false);
      else if (type === 'reconnect') this.set(true);
    }
  }
}
