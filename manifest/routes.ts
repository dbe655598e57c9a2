// Which provided services a path means. Pure; knows patterns and wildcards, no method and no right.
import type { ModuleModel, ServiceModel } from './model.js';

/** Paths that the device's own modules provide. */
const NATIVE = /^(dev|sys|\.well-known)(\/|$)/;

export function isNative(path: string): boolean {
  return NATIVE.test(path);
}

/** `//porch/log` in a manifest: a path of another device. Without its first slash it still begins with one. */
export function isElsewhere(path: string): boolean {
  return path.startsWith('/');
}

export interface Provided {
  readonly module: ModuleModel;
  readonly service: ServiceModel;
}

/** `log/{id}` as `log/{}`: routes that differ in names only are one. */
export function routeShape(path: string): string {
  return path.replace(/\{[^}]*\}/g, '{}');
}

/** True if the requirement `wanted` (exact, or with a last segment `*`) can mean the service path `pattern`. */
export function covers(wanted: string, pattern: string): boolean {
  const want = wanted.split('/');
  const have = pattern.split('/');
  const open = want[want.length - 1] === '*';
  if (open) want.pop();
  if (open ? have.length <= want.length : have.length !== want.length) return false;
  return want.every((segment, i) => segment === have[i] || have[i]!.startsWith('{'));
}
