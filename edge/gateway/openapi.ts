// An OpenAPI document of all things, from their manifests. Takes a router and manifests, gives a plain object.
import { methodName } from '../../compiler/abi/os-layout.js';
import type { ServiceModel } from '../../manifest/model.js';
import type { Router } from '../router/router.js';
import { serviceModel, type Directory } from './directory.js';
import { jsonSchema } from './json.js';

export function openApi(router: Router, directory: Directory, url: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const thing of router.things()) {
    for (const { placement, service } of router.services(thing)) {
      const path = `/things/${thing}/${service.path}`;
      const model = serviceModel(directory, router, thing, `/${service.path}`, service.method);
      const operation = describe(thing, placement.module, service.path, model);
      paths[path] = { ...paths[path], [methodName(service.method)!.toLowerCase()]: operation };
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'ThingSpire things', version: '1' },
    servers: [{ url }],
    paths,
  };
}

function describe(thing: string, module: string, path: string, service: ServiceModel | null): Record<string, unknown> {
  const parameters = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } };
  });
  const contract = service?.contract;
  const request = contract?.request ?? null;
  const response = contract?.response ?? null;
  return {
    tags: [`${thing}/${module}`],
    parameters,
    ...(request === null ? {} : { requestBody: { content: { 'application/json': { schema: jsonSchema(request) } } } }),
    responses: {
      '200': {
        description: 'Success',
        ...(response === null ? {} : { content: { 'application/json': { schema: jsonSchema(response) } } }),
      },
      ...(response === null ? { '204': { description: 'Success without content' } } : {}),
      default: {
        description: 'An error, with its CoAP code',
        content: {
          'application/json': {
            schema: {
              type: 'object',
              properties: {
                status: { type: 'integer' },
                message: { type: 'string' },
                code: { type: 'string' },
              },
            },
          },
        },
      },
    },
  };
}
