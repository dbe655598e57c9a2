// Stands between a UDP socket and the `coap` library's server: what comes is inspected, its rate per address is bounded,
// and what a confirmable notification waits for is known. Takes a socket; knows no service.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Server } from 'coap';
import { TokenBucket } from '../imc/rate.js';
import { BlockAssembly } from './block-assembly.js';
import { boundBlockCaches } from './block-cache.js';
import { inspectRequest } from './coap-message.js';
import { isLoopback } from './exposure.js';

export interface CoapLimits {
  /** Messages a second from one address, and at once. */
  readonly rate: number;
  readonly burst: number;
  /** Most bytes of a body in blocks. */
  readonly maxBody: number;
}

/** Only this machine's programs send from its own addresses. */
const LOOPBACK = { rate: 5_000, burst: 10_000 } as const;
/** Anybody can put any address on a datagram: answers to it are bounded too. */
const NETWORK = { rate: 50, burst: 200 } as const;
/** Addresses remembered at a time. */
const MAX_PEERS = 4_096;
/** Confirmable messages remembered at a time. */
const MAX_OUTSTANDING = 4_096;

/** First byte of a message: version 1, type in bits 4 and 5. */
const TYPE_MASK = 0x30;
const TYPE_CON = 0x00;

export interface GuardCounts {
  taken: number;
  answered: number;
  dropped: number;
}

export class CoapGuard {
  readonly counts: GuardCounts = { taken: 0, answered: 0, dropped: 0 };
  private readonly peers = new Map<string, TokenBucket>();
  /** Confirmable messages of ours that nobody has acknowledged, by peer and message id; and who waits for that. */
  private readonly outstanding = new Map<string, string>();
  private readonly waiting = new Map<string, Set<() => void>>();
  private readonly bodies = new BlockAssembly();
  private closed = false;

  private constructor(
    readonly socket: Socket,
    private readonly maxBody: number,
    private readonly limits: Pick<CoapLimits, 'rate' | 'burst'> | null,
  ) {}

  /** Binds a socket and puts a server behind it. @param limits instead of the usual ones (for tests) */
  static async listen(
    server: Server,
    port: number,
    address: string | undefined,
    maxBody: number,
    limits: Pick<CoapLimits, 'rate' | 'burst'> | null = null,
  ): Promise<CoapGuard> {
    const socket = createSocket(address !== undefined && isIPv6(address) ? 'udp6' : 'udp4');
    const guard = new CoapGuard(socket, maxBody, limits);
    guard.install();
    boundBlockCaches(server);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, address, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    server.listen(socket);
    return guard;
  }

  /**
   * Resolves when a peer has acknowledged every confirmable message that was sent to it (RFC 7641, 4.5.1: one notification
   * at a time), or the library has given up.
   */
  settled(address: string, port: number): Promise<void> {
    const peer = peerOf(address, port);
    if (![...this.outstanding.values()].includes(peer)) return Promise.resolve();
    return new Promise((resolve) => {
      const waiting = this.waiting.get(peer) ?? new Set();
      this.waiting.set(peer, waiting.add(resolve));
    });
  }

  /** What was outstanding to a peer does not matter any more: it has gone. */
  forget(address: string, port: number): void {
    const peer = peerOf(address, port);
    for (const [key, value] of this.outstanding) if (value === peer) this.outstanding.delete(key);
    this.wake(peer);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.close();
    for (const peer of [...this.waiting.keys()]) this.wake(peer);
  }

  private install(): void {
    const { socket } = this;
    const deliver = socket.emit.bind(socket) as (event: string, ...values: unknown[]) => boolean;
    socket.emit = ((event: string, ...values: unknown[]): boolean => {
      if (event !== 'message') return deliver(event, ...values);
      const [bytes, from] = values as [Buffer, RemoteInfo];
      const taken = this.admit(bytes, from);
      return taken !== null && deliver('message', taken, from);
    }) as typeof socket.emit;
    const send = socket.send.bind(socket) as (...values: unknown[]) => void;
    socket.send = ((
      bytes: Buffer,
      offset: number,
      length: number,
      port: number,
      address: string,
      done?: () => void,
    ) => {
      // The library answers what it cannot parse to a port of this machine, and goes on answering after the end.
      if (this.closed || typeof address !== 'string' || port === 0) return;
      if ((bytes[offset]! & TYPE_MASK) === TYPE_CON)
        this.remember(peerOf(address, port), bytes.readUInt16BE(offset + 2));
      send(bytes, offset, length, port, address, done);
    }) as typeof socket.send;
  }

  /** What the library may see of a datagram; null: nothing. */
  private admit(bytes: Buffer, { address, port }: RemoteInfo): Buffer | null {
    const loopback = isLoopback(address);
    if (port === 0 || !this.bucketOf(address, loopback).take()) {
      this.counts.dropped++;
      return null;
    }
    const verdict = inspectRequest(bytes, this.maxBody, !loopback);
    if (verdict.kind === 'drop') {
      this.counts.dropped++;
      return null;
    }
    if (verdict.kind === 'answer') {
      this.counts.answered++;
      this.socket.send(verdict.bytes, 0, verdict.bytes.length, port, address);
      return null;
    }
    this.counts.taken++;
    const { ack, reset, messageId } = verdict.packet;
    const peer = peerOf(address, port);
    if (ack || reset) this.acknowledged(peer, messageId);
    const body = this.bodies.take(peer, verdict.packet);
    if (body.kind === 'plain') return verdict.bytes;
    if (body.kind === 'whole') return body.bytes;
    this.socket.send(body.bytes, 0, body.bytes.length, port, address);
    return null;
  }

  private bucketOf(address: string, loopback: boolean): TokenBucket {
    let bucket = this.peers.get(address);
    if (bucket === undefined) {
      const { rate, burst } = this.limits ?? (loopback ? LOOPBACK : NETWORK);
      bucket = new TokenBucket(rate, burst, () => performance.now());
      const [oldest] = this.peers.keys();
      if (this.peers.size >= MAX_PEERS) this.peers.delete(oldest!);
    }
    // The one that was heard last is forgotten last.
    this.peers.delete(address);
    this.peers.set(address, bucket);
    return bucket;
  }

  private remember(peer: string, messageId: number): void {
    const [oldest] = this.outstanding.keys();
    if (this.outstanding.size >= MAX_OUTSTANDING) this.outstanding.delete(oldest!);
    this.outstanding.set(`${peer} ${messageId}`, peer);
  }

  private acknowledged(peer: string, messageId: number): void {
    if (this.outstanding.delete(`${peer} ${messageId}`) && ![...this.outstanding.values()].includes(peer))
      this.wake(peer);
  }

  private wake(peer: string): void {
    const waiting = this.waiting.get(peer);
    this.waiting.delete(peer);
    waiting?.forEach((resolve) => resolve());
  }
}

const peerOf = (address: string, port: number): string => `${address}|${port}`;
