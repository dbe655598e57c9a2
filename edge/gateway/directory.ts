// What a gateway must know of a thing's modules beyond their routes: the manifest entries, for types. Interface only.
import { METHOD_NUMBERS } from '../../compiler/abi/os-layout.js';
import type { ModuleModel, ServiceModel } from '../../manifest/model.js';
import type { Router } from '../router/router.js';

export interface Directory {
  /** Manifest entry of a module, or null if its package is not known here. */
  modelOf(thing: string, module: string): ModuleModel | null;
}

/** The service behind a method and path of a thing, with its contract; null if it or its manifest is not known. */
export function serviceModel(
  directory: Directory,
  router: Router,
  thing: string,
  uri: string,
  method: number,
): ServiceModel | null {
  const target = router.find(thing, uri, method);
  if (target === null || target === 'method') return null;
  const model = directory.modelOf(thing, target.placement.module);
  const { path } = target.service;
  return model?.provides.find((service) => service.path === path && METHOD_NUMBERS[service.method] === method) ?? null;
}
