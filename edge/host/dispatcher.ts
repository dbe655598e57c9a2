// Requests between modules of an edge host: finds the service, holds the request against its contract in the kernel's order
// (firmware/core/imc.c), has the module run it. What is not here goes elsewhere. Knows no thread.
import { CALL_DEPTH, METHOD_NUMBERS, ResponseCode } from '../../compiler/abi/os-layout.js';
import { payloadBounds } from '../../manifest/model.js';
import { breachOf } from '../imc/answers.js';
import { checkPayload } from '../imc/payload.js';
import { TokenBucket } from '../imc/rate.js';
import { RouteTable, segmentsOf } from '../imc/routes.js';
import { mayCall } from '../security/callers.js';
import type { Answer } from '../worker/protocol.js';
import { AREA_BYTES } from '../worker/shared.js';
import type { BuiltIn } from './built-in.js';
import type { Chains } from './chains.js';
import type { EdgeModule } from './edge-module.js';
import type { HostEvent, ServiceModel, ServiceRequest } from './types.js';

/** A service of a module here. */
export interface HostedService {
  readonly module: EdgeModule;
  readonly service: ServiceModel;
  readonly rate: TokenBucket | null;
}

/** Where a request comes from inside: its chain, how deep, and how long its own invocation may take. */
export interface Origin {
  readonly chain: number;
  readonly depth: number;
  readonly deadlineUs: number;
}

export interface DispatcherOptions {
  readonly chains: Chains;
  readonly builtIn: RouteTable<BuiltIn>;
  readonly elsewhere: (request: ServiceRequest) => Promise<Answer | null>;
  readonly emit: (event: HostEvent) => void;
  /** Milliseconds since the start of the host. */
  readonly now: () => number;
}

const EMPTY = new Uint8Array(0);

export const bare = (code: number): Answer => ({ code, payload: EMPTY });

export class Dispatcher {
  private readonly routes = new RouteTable<HostedService>();

  constructor(private readonly options: DispatcherOptions) {}

  add(module: EdgeModule): void {
    for (const service of module.model.provides) {
      const { rate, burst } = service.contract;
      const bucket = rate === 0 ? null : new TokenBucket(rate, Math.max(1, burst), this.options.now);
      this.routes.add(service.path, METHOD_NUMBERS[service.method], { module, service, rate: bucket });
    }
  }

  remove(module: EdgeModule): void {
    this.routes.remove((entry) => entry.module !== module);
  }

  services(): readonly HostedService[] {
    return [...this.routes];
  }

  /** The service of a module here; null if there is none of that method. */
  find(uri: string, method: number): HostedService | null {
    const found = this.routes.find(segmentsOf(uri), method);
    return found === null || found === 'method' ? null : found.value;
  }

  /** A service that a module's thread can call without the host, and what its path's parameters are then; else null. */
  direct(uri: string, method: number, caller: string): { found: HostedService; parameters: string[] } | null {
    if (this.options.builtIn.find(segmentsOf(uri), method) !== null) return null;
    const found = this.routes.find(segmentsOf(uri), method);
    if (found === null || found === 'method') return null;
    const { service, rate } = found.value;
    const { callers, response } = service.contract;
    const fits = response === null || payloadBounds(response).max <= AREA_BYTES;
    if (rate !== null || !fits || !mayCall(callers, caller)) return null;
    return { found: found.value, parameters: found.parameters };
  }

  /** Answers a request, wherever its service is. */
  async route(request: ServiceRequest, origin: Origin | null): Promise<Answer> {
    const own = this.options.builtIn.find(segmentsOf(request.uri), request.method);
    if (own !== null) return own === 'method' ? bare(ResponseCode.MethodNotAllowed) : own.value(request);
    const result = await this.serveHere(request, origin);
    if (typeof result !== 'string') return result;
    const remote = await this.options.elsewhere(request);
    return remote ?? bare(result === 'path' ? ResponseCode.NotFound : ResponseCode.MethodNotAllowed);
  }

  /** `'path'`: no module here has the path; `'method'`: only with other methods. Then nothing has run. */
  async serveHere(request: ServiceRequest, origin: Origin | null): Promise<Answer | 'path' | 'method'> {
    const start = this.options.now();
    const path = segmentsOf(request.uri);
    for (;;) {
      const found = this.routes.find(path, request.method);
      if (found === null) return 'path';
      if (found === 'method') return 'method';
      const result = await this.serve(found.value, found.parameters, request, origin);
      // It left while the request waited: look again.
      if (result === 'moved') continue;
      const { name } = found.value.module.model;
      const milliseconds = this.options.now() - start;
      const { caller: from, uri } = request;
      this.options.emit({ type: 'call', from, to: name, path: uri, code: result.code, milliseconds });
      return result;
    }
  }

  private async serve(
    { module, service, rate }: HostedService,
    parameters: readonly string[],
    request: ServiceRequest,
    origin: Origin | null,
  ): Promise<Answer | 'moved'> {
    const { contract } = service;
    const { chains } = this.options;
    const { uri, caller, payload, capacity } = request;
    const refused = checkPayload(payload, contract.request);
    if (refused !== null) return bare(refused);
    // A handler that writes its record into too small a buffer would trap for its caller's fault.
    if (contract.response !== null && capacity < payloadBounds(contract.response).min)
      return bare(ResponseCode.RequestEntityTooLarge);
    if (!mayCall(contract.callers, caller)) return bare(ResponseCode.Forbidden);
    if (!module.available && !(origin === null && module.arriving)) return bare(ResponseCode.ServiceUnavailable);
    const depth = origin === null ? 0 : origin.depth + 1;
    if (depth >= CALL_DEPTH) return bare(ResponseCode.ServiceUnavailable);
    // The caller has used up some of its time already: one that may take as long is one too long.
    if (origin !== null && contract.deadlineUs >= origin.deadlineUs) return bare(ResponseCode.GatewayTimeout);
    const chain = origin?.chain ?? chains.begin();
    if (chains.wouldCircle(chain, module)) return bare(ResponseCode.ServiceUnavailable);
    if (rate !== null && !rate.take()) return bare(ResponseCode.TooManyRequests);
    const { deadlineUs } = contract;
    const handlerRequest = { uri, parameters, caller, payload, capacity };
    const result = await module.run({
      chain,
      depth,
      entry: service.handler,
      request: handlerRequest,
      args: [],
      deadlineUs,
    });
    switch (result.type) {
      case 'answered':
        return checkAnswer(module, service, result.answer);
      case 'expired':
        return bare(ResponseCode.GatewayTimeout);
      case 'moved':
        return 'moved';
      case 'unavailable':
        return bare(ResponseCode.ServiceUnavailable);
      default:
        return bare(ResponseCode.InternalServerError);
    }
  }
}

/** An answer as the caller gets it: one that a handler may not give is a fault of its module. */
function checkAnswer(module: EdgeModule, { contract, path }: ServiceModel, result: Answer): Answer {
  const breach = breachOf(result.code, result.payload, contract.response);
  if (breach === null) return result;
  module.breach(`/${path}: ${breach}`);
  return bare(ResponseCode.InternalServerError);
}
