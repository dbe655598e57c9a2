// Paths of services and requirements: patterns and matching, by the rules of the device's kernel. Takes and gives strings;
// knows no place and no module.

/**
 * Segments of a path or URI, query left out: "/log/7?a=1" -> ["log", "7"]. One leading slash goes; a path of another thing
 * (`//porch/log`) keeps an empty first segment, and "/log/" is not "/log".
 */
export function segmentsOf(uri: string): string[] {
  const end = uri.indexOf('?');
  return uri.slice(uri.startsWith('/') ? 1 : 0, end < 0 ? uri.length : end).split('/');
}

const isParameter = (segment: string): boolean => segment.startsWith('{') && segment.endsWith('}');

/** Values of the `{}` segments if `path` fits the pattern, else null. */
export function matchPath(pattern: readonly string[], path: readonly string[]): string[] | null {
  if (pattern.length !== path.length) return null;
  const values: string[] = [];
  for (const [i, segment] of pattern.entries()) {
    if (!isParameter(segment)) {
      if (segment !== path[i]) return null;
    } else if (path[i] === '') return null;
    else values.push(path[i]!);
  }
  return values;
}

/** Services by path; of several patterns that fit, the one with the most fixed segments wins. */
export class RouteTable<T> {
  private readonly entries: { readonly pattern: readonly string[]; readonly method: number; readonly value: T }[] = [];

  add(path: string, method: number, value: T): void {
    this.entries.push({ pattern: segmentsOf(path), method, value });
    const fixed = (pattern: readonly string[]): number => pattern.filter((segment) => !isParameter(segment)).length;
    this.entries.sort((a, b) => fixed(b.pattern) - fixed(a.pattern));
  }

  remove(keep: (value: T) => boolean): void {
    this.entries.splice(0, this.entries.length, ...this.entries.filter(({ value }) => keep(value)));
  }

  /** The service of a path; `'method'` if the path has services of other methods only, null if it has none. */
  find(path: readonly string[], method: number): { value: T; parameters: string[] } | 'method' | null {
    let seen = false;
    for (const entry of this.entries) {
      const parameters = matchPath(entry.pattern, path);
      if (parameters === null) continue;
      if (entry.method === method) return { value: entry.value, parameters };
      seen = true;
    }
    return seen ? 'method' : null;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (const { value } of this.entries) yield value;
  }
}
