// Who may do what over HTTP: roles, and the one that each route asks for. Pure data; knows no tokens.

/** Each may do all that those before it may. */
export const ROLES = ['viewer', 'caller', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export const isRole = (text: unknown): text is Role => ROLES.includes(text as Role);
export const includesRole = (has: Role, wanted: Role): boolean => ROLES.indexOf(has) >= ROLES.indexOf(wanted);

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** Everybody: the page itself has nothing to hide, and whoever logs in has no token yet. */
const PUBLIC: readonly RegExp[] = [/^\/$/, /^\/favicon\.ico$/, /^\/page(?:\/|$)/, /^\/api\/session$/];
/** In order; the first that fits. `read`: for GET and HEAD, `write`: for the rest. */
const RULES: readonly { readonly route: RegExp; readonly read: Role; readonly write: Role }[] = [
  { route: /^\/api\/(?:tokens|enrol)/, read: 'admin', write: 'admin' },
  { route: /^\/api\//, read: 'viewer', write: 'operator' },
  { route: /^\/openapi\.json$/, read: 'viewer', write: 'admin' },
  { route: /^\/things(?:\/:thing)?$/, read: 'viewer', write: 'admin' },
  // A request to a service runs a module, reading ones too.
  { route: /^\/things\/:thing\//, read: 'caller', write: 'caller' },
];

/**
 * The role that a route asks for; null: none. A route that no rule knows is the admin's.
 * @param route pattern as it was added (`/things/:thing/*`), not what the client wrote
 */
export function roleFor(method: string, route: string): Role | null {
  if (PUBLIC.some((pattern) => pattern.test(route))) return null;
  const rule = RULES.find((entry) => entry.route.test(route));
  if (rule === undefined) return 'admin';
  return READING.has(method) ? rule.read : rule.write;
}
