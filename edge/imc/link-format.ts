// The link format of /.well-known/core (RFC 6690): a line of links, filtered by a query. Takes paths and attributes as the
// manifest has them; knows no service.

export interface Link {
  /** Without leading slash. */
  readonly path: string;
  /** `;rt="temperature";obs`, or empty. */
  readonly attributes: string;
}

/** Value of an attribute: `''` for one without value, null if there is none. */
function attribute(attributes: string, name: string): string | null {
  const found = new RegExp(`;${name}(?:=(?:"([^"]*)"|([^;,"]*)))?(?=;|$)`).exec(attributes);
  return found === null ? null : (found[1] ?? found[2] ?? '');
}

/** RFC 6690, 4.1: a value may end in `*` to match a prefix; `rt` and `if` hold several values. */
function fits(link: Link, name: string, wanted: string): boolean {
  const matches = (value: string): boolean =>
    wanted.endsWith('*') ? value.startsWith(wanted.slice(0, -1)) : value === wanted;
  if (name === 'href') return matches(`/${link.path}`);
  const value = attribute(link.attributes, name);
  if (value === null) return false;
  return name === 'rt' || name === 'if' ? value.split(' ').some(matches) : matches(value);
}

/** The links that the query of `uri` asks for (all without one), one for each path. */
export function linkFormat(links: readonly Link[], uri: string): string {
  const query = uri.split('?')[1] ?? '';
  const filters = query.split('&').filter((part) => part.includes('='));
  const byPath = new Map<string, Link>();
  // Of several methods of one path, the attributes of the one that has some are shown.
  for (const link of links) if (!byPath.has(link.path) || link.attributes !== '') byPath.set(link.path, link);
  return [...byPath.values()]
    .filter((link) =>
      filters.every((filter) => {
        const at = filter.indexOf('=');
        return fits(link, filter.slice(0, at), decodeURIComponent(filter.slice(at + 1)));
      }),
    )
    .map(({ path, attributes }) => `</${path}>${attributes}`)
    .join(',');
}

/** The links of a document in link format; quoted commas do not separate. What is not a link is left out. */
export function parseLinks(text: string): Link[] {
  return [...text.matchAll(/<\/?([^>]*)>((?:;[^,;"=]+(?:=(?:"[^"]*"|[^,;"]*))?)*)/g)].map(([, path, attributes]) => {
    return { path: path!, attributes: attributes! };
  });
}
