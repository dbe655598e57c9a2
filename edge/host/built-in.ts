// Services that every edge host has by itself: discovery, clock, random numbers, console. The same paths and payloads as
// the device's. Takes a host, gives routes.
import { randomBytes } from 'node:crypto';
import { Method, ResponseCode } from '../../compiler/abi/os-layout.js';
import { RouteTable } from '../imc/routes.js';
import { linkFormat } from '../imc/link-format.js';
import type { Answer } from '../worker/protocol.js';
import type { EdgeHost } from './edge-host.js';
import type { ServiceRequest } from './types.js';

export type BuiltIn = (request: ServiceRequest) => Answer;

const content = (payload: Uint8Array): Answer => ({ code: ResponseCode.Content, payload });

export function builtInServices(host: EdgeHost): RouteTable<BuiltIn> {
  const table = new RouteTable<BuiltIn>();
  table.add('.well-known/core', Method.Get, ({ uri }) => {
    const links = host.services().map(({ service: { path, attributes } }) => ({ path, attributes }));
    return content(Buffer.from(linkFormat(links, uri)));
  });
  table.add('dev/clock', Method.Get, () => {
    const payload = new Uint8Array(8);
    new DataView(payload.buffer).setBigUint64(0, BigInt(Math.round(host.now() * 1000)), true);
    return content(payload);
  });
  table.add('dev/random', Method.Get, ({ capacity }) => content(randomBytes(Math.min(capacity, 256))));
  table.add('dev/console', Method.Post, ({ caller, payload }) => {
    host.writeConsole(caller, payload);
    return { code: ResponseCode.Changed, payload: new Uint8Array(0) };
  });
  return table;
}
