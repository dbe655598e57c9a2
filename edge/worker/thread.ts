// The thread of one module: waits for messages, runs invocations, asks the host and runs nested invocations while it
// waits. Takes WorkerData; knows no route and no contract.
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { InternalError } from '../../compiler/diagnostics.js';
import { rewriteForEdge } from '../module/rewrite.js';
import { ModuleRuntime, type Link } from './module-runtime.js';
import {
  ControlWord,
  type HostAnswers,
  type HostQuestion,
  type Invocation,
  type ToHost,
  type ToModule,
  type WorkerData,
} from './protocol.js';

class Thread implements Link {
  private readonly control: Int32Array;
  private seen = 0;
  private nextQuestion = 1;
  /** Answers by question; only to what is still asked. */
  private readonly answers = new Map<number, { value: unknown } | null>();
  /** Invocations of other chains, which wait until nothing runs. */
  private readonly waiting: Invocation[] = [];
  private readonly chains: number[] = [];
  private readonly runtime: ModuleRuntime;

  constructor(
    private readonly port: MessagePort,
    data: WorkerData,
  ) {
    const { wasm, name, limits, origin, args, env } = data;
    this.control = new Int32Array(data.control);
    const options = { origin, args: args.length === 0 ? [name] : args, env };
    this.runtime = new ModuleRuntime(rewriteForEdge(wasm, name, limits), this, options);
  }

  /** Serves messages for ever; the host ends the thread. */
  serve(): never {
    this.send({ type: 'ready' });
    for (;;) {
      this.receive();
      const next = this.waiting.shift();
      if (next !== undefined) this.run(next);
      else this.sleep(Infinity);
    }
  }

  ask<K extends HostQuestion['kind']>(question: Extract<HostQuestion, { kind: K }>): HostAnswers[K] {
    const id = this.nextQuestion++;
    this.answers.set(id, null);
    try {
      this.send({ type: 'question', id, question });
      for (;;) {
        this.receive();
        const answer = this.answers.get(id);
        if (answer) return answer.value as HostAnswers[K];
        // A call back into this module by the chain that waits here runs now, on top of the waiting frame.
        const nested = this.waiting.findIndex(({ chain }) => chain === this.chains[this.chains.length - 1]);
        if (nested >= 0) this.run(this.waiting.splice(nested, 1)[0]!);
        else this.sleep(Infinity);
      }
    } finally {
      // The stack may end anywhere in here.
      this.answers.delete(id);
    }
  }

  log(text: string): void {
    this.send({ type: 'log', text });
  }
  console(bytes: Uint8Array): void {
    this.send({ type: 'console', bytes });
  }

  isExpired(invocation: number): boolean {
    if (Atomics.load(this.control, ControlWord.Sent) !== this.seen) this.receive();
    return Atomics.load(this.control, ControlWord.Expired) === invocation;
  }

  /** Until the host has sent more than has been received. */
  sleep(milliseconds: number): void {
    Atomics.wait(this.control, ControlWord.Sent, this.seen, milliseconds);
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

  private receive(): void {
    this.seen = Atomics.load(this.control, ControlWord.Sent);
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
