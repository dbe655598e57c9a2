// Names of callers: who a contract lets in, how they cross from one place to another, what a device may say about itself.
// Takes and gives names; knows no transport.
//
// A module is `NAME` inside its thing and `NAME@THING` outside; a person or program behind a gateway is `user:NAME`.

const MODULE = /^[a-z][a-z0-9-]{0,62}$/;
const USER = /^user:[a-z0-9-]+$/;
/** In a contract: everybody with a token. */
const ALL_USERS = 'user:*';

/**
 * Whether a contract lets a caller in.
 * @param callers of the contract; null: everybody
 * @param caller as the service's thing sees it
 */
export function mayCall(callers: readonly string[] | null, caller: string): boolean {
  if (callers === null || callers.includes(caller)) return true;
  return callers.includes(ALL_USERS) && USER.test(caller);
}

/** The caller as a service of `thing` sees it: modules of its own thing without `@THING`. */
export function callerAt(caller: string, thing: string): string {
  const suffix = `@${thing}`;
  const bare = caller.endsWith(suffix) ? caller.slice(0, -suffix.length) : caller;
  // Only a module has a thing: "user:anna@porch" stays what it is, and is nobody.
  return MODULE.test(bare) ? bare : caller;
}

/**
 * The full name of a module that a device of `thing` says is calling, whatever the device says: it speaks for modules of
 * its own thing and for nobody else. Null: not the name of a module.
 */
export function callerFromDevice(said: string | null, thing: string): string | null {
  if (said === null) return null;
  const suffix = `@${thing}`;
  const name = said.endsWith(suffix) ? said.slice(0, -suffix.length) : said;
  return MODULE.test(name) ? `${name}${suffix}` : null;
}

/** What services see of somebody with a token. */
export const userCaller = (name: string): string => `user:${name}`;
