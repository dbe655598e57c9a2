// The thread of one module: waits for messages, runs invocations, asks the host and runs nested invocations while it
// waits. Takes WorkerData; knows no route and no contract.
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { InternalError } from '../../compiler/diagnostics.js';
import { rewriteForEdge } from '../module/rewrite.js';
import { ModuleRuntime, type Link } from './module-runtime.js';
import type { HostAnswers, HostQuestion, Invocation, ToHost, ToModule, WorkerData } from './protocol.js';

class Thread implements Link {
  private readonly signal: Int32Array;
  private seen = 0;
  private nextQuestion = 1;
  private readonly answers = new Map<number, unknown>();
  /** Invocations of other chains, which wait until nothing runs. */
  private readonly waiting: Invocation[] = [];
  private readonly chains: number[] = [];
  private readonly runtime: ModuleRuntime;

  constructor(
    private readonly port: MessagePort,
    data: WorkerData,
  ) {
    this.signal = new Int32Array(data.signal);
    this.runtime = new ModuleRuntime(rewriteForEdge(data.wasm, data.name), this, data.origin);
  }

  /** Serves messages for ever; the host ends the thread. */
  serve(): never {
    this.send({ type: 'ready' });
    for (;;) {
      this.receive();
      const next = this.waiting.shift();
      if (next !== undefined) this.run(next);
      else this.sleep();
    }
  }

  ask<K extends HostQuestion['kind']>(question: Extract<HostQuestion, { kind: K }>): HostAnswers[K] {
    const id = this.nextQuestion++;
    this.send({ type: 'question', id, question });
    for (;;) {
      this.receive();
      if (this.answers.has(id)) {
        const value = this.answers.get(id) as HostAnswers[K];
        this.answers.delete(id);
        return value;
      }
      // A call back into this module by the chain that waits here runs now, on top of the waiting frame.
      const nested = this.waiting.findIndex(({ chain }) => chain === this.chains[this.chains.length - 1]);
      if (nested >= 0) this.run(this.waiting.splice(nested, 1)[0]!);
      else this.sleep();
    }
  }

  log(text: string): void {
    this.send({ type: 'log', text });
  }
  console(bytes: Uint8Array): void {
    this.send({ type: 'console', bytes });
  }

  private send(message: ToHost): void {
    this.port.postMessage(message);
  }

  private run(invocation: Invocation): void {
    this.chains.push(invocation.chain);
    const { answer, fault } = this.runtime.run(invocation);
    this.chains.pop();
    this.send({ type: 'ended', invocation: invocation.id, answer, fault });
  }

  /** Until the host has sent more than has been received. */
  private sleep(): void {
    Atomics.wait(this.signal, 0, this.seen);
  }

  private receive(): void {
    this.seen = Atomics.load(this.signal, 0);
    for (let got = receiveMessageOnPort(this.port); got !== undefined; got = receiveMessageOnPort(this.port))
      this.handle(got.message as ToModule);
  }

  private handle(message: ToModule): void {
    switch (message.type) {
      case 'invoke':
        this.waiting.push(message.invocation);
        break;
      case 'answer':
        this.answers.set(message.id, message.value);
        break;
      case 'memory':
        this.send({
          type: 'memory',
          id: message.id,
          bytes: this.runtime.access(message.address, message.bytes, message.write),
        });
        break;
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
