// The thread of one module: waits for messages and for requests of other threads, runs invocations, asks the host and
// runs nested invocations while it waits. Takes WorkerData; knows no route.
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { InternalError } from '../../compiler/diagnostics.js';
import { rewriteForEdge } from '../module/rewrite.js';
import { DirectCalls } from './direct-calls.js';
import { DirectServer } from './direct-server.js';
import { ModuleRuntime, type Link } from './module-runtime.js';
import { OwnTime } from './own-time.js';
import type {
  Answer,
  HostAnswers,
  HostQuestion,
  Invocation,
  ModuleRequest,
  ToHost,
  ToModule,
  WorkerData,
} from './protocol.js';
import { ControlWord } from './shared.js';

/** The threads that are waited for can end without a word. */
const LOOK_MS = 50;
const OWN_LOOK_MS = 5;
/** Processor time that who is late has at least. */
const LEAST_OWN_MS = 20;
const US_PER_MS = 1000;

class Thread implements Link {
  private readonly control: Int32Array;
  private seen = 0;
  private posted = 0;
  private nextQuestion = 1;
  /** Answers by question; only to what is still asked. */
  private readonly answers = new Map<number, { value: unknown } | null>();
  /** Invocations of other chains, which wait until nothing runs. */
  private readonly waiting: Invocation[] = [];
  private readonly chains: number[] = [];
  private readonly runtime: ModuleRuntime;
  private readonly calls: DirectCalls;
  private readonly server: DirectServer;
  private readonly origin: number;
  private readonly ownTime = new OwnTime();
  /** The invocation that is late, how far its own time may go, when to look again. */
  private late: { readonly id: number; readonly until: number; look: number } | null = null;

  constructor(
    private readonly port: MessagePort,
    data: WorkerData,
  ) {
    const { wasm, name, limits, origin, args, env } = data;
    this.origin = origin;
    this.control = new Int32Array(data.control);
    const options = { origin, args: args.length === 0 ? [name] : args, env };
    this.runtime = new ModuleRuntime(rewriteForEdge(wasm, name, limits), this, options);
    this.calls = new DirectCalls(data, {
      bind: (target) => this.ask({ kind: 'bind', target }),
      wait: (done) => this.wait(done),
      freed: (module) => this.send({ type: 'freed', module }),
    });
    this.server = new DirectServer(data, {
      now: () => this.now(),
      run: (invocation) => this.runtime.run(invocation),
      faulted: (fault) => this.send({ type: 'faulted', fault }),
      freed: (module) => this.send({ type: 'freed', module }),
    });
  }

  /** Serves messages for ever; the host ends the thread. */
  serve(): never {
    this.send({ type: 'ready' });
    for (;;) {
      this.receive();
      const next = this.waiting.shift();
      if (next !== undefined) this.run(next);
      else if (this.server.isAsked()) this.serveDirectly();
      else this.sleep(Infinity);
    }
  }

  ask<K extends HostQuestion['kind']>(question: Extract<HostQuestion, { kind: K }>): HostAnswers[K] {
    const id = this.nextQuestion++;
    this.answers.set(id, null);
    try {
      this.send({ type: 'question', id, question });
      this.wait(() => this.answers.get(id) !== null);
      return this.answers.get(id)!.value as HostAnswers[K];
    } finally {
      // The stack may end anywhere in here.
      this.answers.delete(id);
    }
  }

  request(request: ModuleRequest): Answer {
    return this.calls.request(request) ?? this.ask({ kind: 'request', request });
  }

  log(text: string): void {
    this.send({ type: 'log', text });
  }
  console(bytes: Uint8Array): void {
    this.send({ type: 'console', bytes });
  }

  isExpired({ id, deadlineUs }: Invocation): boolean {
    if (Atomics.load(this.control, ControlWord.Posted) !== this.posted) this.receive();
    const isLate = Atomics.load(this.control, ControlWord.Expired) === id || this.server.isExpired(id, this.waitedMs());
    return isLate && this.isUsedUp(id, deadlineUs / US_PER_MS);
  }

  /** A module sleeps by its own wish. */
  nap(milliseconds: number): void {
    const begin = this.now();
    this.sleep(milliseconds);
    this.ownTime.addSleep(this.now() - begin);
  }

  /** It is late by the clock on the wall; perhaps others had the processor: from now on its own time counts. */
  private isUsedUp(id: number, deadlineMs: number): boolean {
    const now = this.now();
    if (this.late?.id !== id) {
      const own = this.ownTime.read();
      if (own === null) return true;
      this.late = { id, until: own + Math.max(LEAST_OWN_MS, deadlineMs), look: now + OWN_LOOK_MS };
      return false;
    }
    if (now < this.late.look) return false;
    this.late.look = now + OWN_LOOK_MS;
    return (this.ownTime.read() ?? Infinity) >= this.late.until;
  }

  /** Until something has happened since `receive`. */
  sleep(milliseconds: number): void {
    Atomics.wait(this.control, ControlWord.Sent, this.seen, milliseconds);
  }

  private now(): number {
    return performance.timeOrigin + performance.now() - this.origin;
  }

  private waitedMs(): number {
    return Atomics.load(this.control, ControlWord.WaitedMs);
  }

  /** Until `done`; what the chain that waits here asks of this module meanwhile runs on top of the waiting frame. */
  private wait(done: () => boolean): void {
    this.beginWait();
    try {
      for (;;) {
        this.receive();
        if (done()) return;
        const nested = this.waiting.findIndex(({ chain }) => chain === this.chains[this.chains.length - 1]);
        if (nested >= 0) this.runNested(this.waiting.splice(nested, 1)[0]!);
        else this.sleep(LOOK_MS);
      }
    } finally {
      this.endWait();
    }
  }

  private beginWait(): void {
    Atomics.store(this.control, ControlWord.WaitingSince, Math.max(1, Math.round(this.now())));
  }

  private endWait(): void {
    const since = Atomics.exchange(this.control, ControlWord.WaitingSince, 0);
    if (since !== 0) Atomics.add(this.control, ControlWord.WaitedMs, Math.max(0, Math.round(this.now()) - since));
  }

  /** Its time is its own, and for those below it time of waiting. */
  private runNested(invocation: Invocation): void {
    this.endWait();
    const begin = this.now();
    const waited = this.waitedMs();
    try {
      this.run(invocation);
    } finally {
      const own = Math.round(this.now() - begin) - (this.waitedMs() - waited);
      Atomics.add(this.control, ControlWord.WaitedMs, Math.max(0, own));
      this.beginWait();
    }
  }

  private send(message: ToHost): void {
    this.port.postMessage(message);
  }

  private run(invocation: Invocation): void {
    const depth = this.chains.push(invocation.chain);
    try {
      const { answer, fault } = this.runtime.run(invocation);
      const { memoryBytes } = this.runtime;
      this.send({ type: 'ended', invocation: invocation.id, answer, fault, memoryBytes });
    } finally {
      this.chains.length = depth - 1;
    }
  }

  private serveDirectly(): void {
    // What it asks for may have been told just before.
    this.receive();
    const depth = this.chains.push(this.server.chain);
    try {
      this.server.serve(this.waitedMs());
    } finally {
      this.chains.length = depth - 1;
    }
  }

  private receive(): void {
    this.seen = Atomics.load(this.control, ControlWord.Sent);
    const posted = Atomics.load(this.control, ControlWord.Posted);
    if (posted === this.posted) return;
    this.posted = posted;
    for (let got = receiveMessageOnPort(this.port); got !== undefined; got = receiveMessageOnPort(this.port))
      this.handle(got.message as ToModule);
  }

  private handle(message: ToModule): void {
    switch (message.type) {
      case 'invoke':
        this.waiting.push(message.invocation);
        break;
      case 'answer':
        if (this.answers.has(message.id)) this.answers.set(message.id, { value: message.value });
        break;
      case 'doom':
        this.runtime.doom(message.invocation);
        break;
      case 'binding':
        this.server.bind(message.id, message.binding);
        break;
      case 'memory': {
        const bytes = this.runtime.access(message.address, message.bytes, message.write);
        this.send({ type: 'memory', id: message.id, bytes });
        break;
      }
      case 'snapshot':
        this.send({ type: 'snapshot', id: message.id, snapshot: this.runtime.snapshot() });
        break;
      case 'restore':
        this.send({ type: 'restored', id: message.id, fine: this.runtime.restore(message.snapshot) });
        break;
    }
  }
}

if (parentPort === null) throw new InternalError('not a worker thread');
new Thread(parentPort, workerData as WorkerData).serve();
