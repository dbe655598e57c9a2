// Answers what modules ask their host: requests, grants, observing, timers. Takes questions of one module, gives answers;
// knows no thread and no contract.
import { METHOD_NUMBERS, Method, ResponseCode } from '../../compiler/abi/os-layout.js';
import { coversPath } from '../../manifest/routes.js';
import { MAX_WINDOW_BYTES } from '../worker/windows.js';
import type { Answer, HostAnswers, HostQuestion, ModuleRequest } from '../worker/protocol.js';
import { bare, type Dispatcher } from './dispatcher.js';
import type { EdgeModule } from './edge-module.js';
import type { GrantTable } from './grants.js';
import type { Subscriptions } from './subscriptions.js';
import type { Timers } from './timers.js';

export interface QuestionContext {
  readonly dispatcher: Dispatcher;
  readonly grants: GrantTable;
  readonly timers: Timers;
  readonly subscriptions: Subscriptions;
  module(name: string): EdgeModule | undefined;
  /** `//THING/path` of the own thing as /path. */
  localUri(uri: string): string;
}

type Question<K extends HostQuestion['kind']> = Extract<HostQuestion, { kind: K }>;

/** Path of a URI as requirements have it: without query and first slash. */
export const plainPath = (uri: string): string => uri.replace(/^\//, '').replace(/\?.*$/s, '');

export class Questions {
  constructor(private readonly context: QuestionContext) {}

  answer(module: EdgeModule, question: HostQuestion): unknown {
    const { name } = module.model;
    const { grants, timers, subscriptions } = this.context;
    switch (question.kind) {
      case 'request':
        return this.request(module, question.request);
      case 'bind':
        return this.bind(module, question.target);
      case 'grant':
        return this.grant(module, question);
      case 'revoke':
        return grants.revoke(question.window, name) ? 1 : 0;
      case 'window-read':
        return this.readWindow(name, question);
      case 'window-write':
        return this.writeWindow(name, question);
      case 'observe':
        return this.observe(module, question);
      case 'unobserve':
        return subscriptions.remove(name, question.subscription) ? 1 : 0;
      case 'notify':
        return this.notify(module, question.path);
      case 'timer':
        return timers.set(name, question.id, question.first, question.period) ? 1 : 0;
    }
  }

  private async request(module: EdgeModule, request: ModuleRequest): Promise<Answer> {
    const { dispatcher } = this.context;
    const { chain, depth, payload, capacity, target, deadlineUs } = request;
    const resolved = this.resolve(module, target);
    if (typeof resolved === 'number') return bare(resolved);
    const { method, uri } = resolved;
    const origin = { chain, depth, deadlineUs };
    const result = await dispatcher.route({ method, uri, payload, caller: module.model.name, capacity }, origin);
    return result.payload.length > capacity ? bare(ResponseCode.RequestEntityTooLarge) : result;
  }

  /** Method and URI of a target, or why it may not be asked for. */
  private resolve(
    module: EdgeModule,
    target: ModuleRequest['target'],
  ): { readonly method: number; readonly uri: string } | number {
    if ('requirement' in target) {
      const numbered = module.requirements[target.requirement];
      if (numbered === undefined) return ResponseCode.Forbidden;
      const { requirement, methods } = numbered;
      return { method: METHOD_NUMBERS[methods[0]!], uri: this.context.localUri(`/${requirement.path}`) };
    }
    const { method, uri } = target;
    if (!mayRequest(module, method, uri)) return ResponseCode.Forbidden;
    return { method, uri: this.context.localUri(uri.startsWith('/') ? uri : `/${uri}`) };
  }

  private bind(module: EdgeModule, target: ModuleRequest['target']): HostAnswers['bind'] {
    const resolved = this.resolve(module, target);
    if (typeof resolved === 'number') return null;
    const { method, uri } = resolved;
    const direct = this.context.dispatcher.direct(uri, method, module.model.name);
    if (direct === null || direct.found.module === module) return null;
    const { found, parameters } = direct;
    return found.module.bind(module, found.service, uri, parameters);
  }

  private grant(module: EdgeModule, question: Question<'grant'>): HostAnswers['grant'] {
    const { address, bytes, rights, milliseconds, inBounds } = question;
    const { name } = module.model;
    let { caller: holder } = question;
    if (question.requirement !== null) {
      const numbered = module.requirements[question.requirement];
      if (numbered === undefined) return 0;
      const found = this.context.dispatcher.find(`/${numbered.requirement.path}`, METHOD_NUMBERS[numbered.methods[0]!]);
      if (found === null) return 0;
      holder = found.module.model.name;
    }
    if (!inBounds) return null;
    const receiver = this.context.module(holder ?? '');
    if (receiver === undefined || receiver === module || !receiver.isUp || bytes > MAX_WINDOW_BYTES) return 0;
    return this.context.grants.grant(name, receiver.model.name, address, bytes, rights, milliseconds);
  }

  private async readWindow(holder: string, { window, invocation }: Question<'window-read'>) {
    const grant = this.context.grants.find(window, holder);
    if (grant === null) return null;
    grant.usedBy = invocation;
    const bytes = await this.context.module(grant.owner)?.memory(grant.address, grant.bytes, null);
    return bytes ? { bytes, rights: grant.rights } : null;
  }

  private async writeWindow(holder: string, { window, invocation, write }: Question<'window-write'>): Promise<boolean> {
    const grant = this.context.grants.find(window, holder);
    const owner = this.context.module(grant?.owner ?? '');
    if (grant === null || owner === undefined) return false;
    grant.usedBy = invocation;
    return (await owner.memory(grant.address, grant.bytes, write)) !== null;
  }

  private observe(module: EdgeModule, { uri, address, capacity }: Question<'observe'>): number {
    const { dispatcher, subscriptions } = this.context;
    if (!mayRequest(module, Method.Get, uri)) return -1;
    const absolute = this.context.localUri(uri.startsWith('/') ? uri : `/${uri}`);
    // One that is here must be observable; whether one elsewhere is, is found out later.
    if (dispatcher.find(absolute, Method.Get)?.service.observable === false) return -1;
    return subscriptions.add(module.model.name, { uri: absolute, address, capacity });
  }

  private notify(module: EdgeModule, path: string): number {
    const found = this.context.dispatcher.find(path, Method.Get);
    return found?.module === module ? this.context.subscriptions.notify(plainPath(path)) : 0;
  }
}

function mayRequest({ model }: EdgeModule, method: number, uri: string): boolean {
  const path = plainPath(uri);
  return model.requires.some(
    (requirement) =>
      requirement.methods.some((name) => METHOD_NUMBERS[name] === method) && coversPath(requirement.path, path),
  );
}
