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
  return fits(wanted, pattern, (segment, have) => segment === have || have.startsWith('{'));
}

/** True if the requirement `wanted` allows requests of `path`, without query and first slash: the kernel's rule. */
export function coversPath(wanted: string, path: string): boolean {
  // No segment of a request is a pattern, whatever it looks like.
  return fits(wanted, path, (segment, have) => segment === have);
}

function fits(wanted: string, path: string, same: (segment: string, have: string) => boolean): boolean {
  const want = wanted.split('/');
  const have = path.split('/');
  const open = want[want.length - 1] === '*';
  if (open) want.pop();
  // What is covered below a path has a name.
  if (open ? have.slice(want.length).join('/') === '' : have.length !== want.length) return false;
  return want.every((segment, i) => same(segment, have[i]!));
}
