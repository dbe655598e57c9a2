// The programming interface of modules: what they may import from "thingspire", with signatures, as data. The same set
// on device and edge. Knows no implementation.

export const THINGSPIRE_MODULE = 'thingspire';

/**
 * Canonical signature text (signature-id.ts) by function name. Pointers are addresses in the module's memory 0 or in a
 * grant's window. Result words: RESULT_CODE_SHIFT in os-layout.ts.
 *
 * - `call(requirement, payload, bytes, response, capacity)`: requests what entry `requirement` of the manifest's
 *   `requires` names (exact path). The payload is granted for reading, the response buffer for writing, until it returns.
 * - `request(method, uri, uri bytes, payload, bytes, response, capacity)`: the same for any URI the manifest's
 *   `requires` covers, e.g. "/log/7?since=20".
 * - `parameter(index, buffer, capacity)`: in a handler, the text of the index-th `{}` of the path; gives its length, or -1.
 * - `query(key, key bytes, buffer, capacity)`: in a handler, the value of a query parameter; length or -1.
 * - `caller(buffer, capacity)`: in a handler, the name of the calling module; length.
 * - `grant(requirement, address, bytes, rights, milliseconds)`: window for the provider of that requirement; 0
 *   milliseconds: until revoked. Gives the window's address (negative as i32), or 0. Of a window: a grant of fewer rights.
 * - `grant_caller(address, bytes, rights, milliseconds)`: in a handler, the same for the module that calls.
 * - `revoke(window)`: 1, or 0 if there is no such grant of this module.
 * - `observe(uri, uri bytes, buffer, capacity)`: subscription number or -1. After each change `on_notify(subscription,
 *   result word)` runs with the new representation in the buffer.
 * - `unobserve(subscription)`: 1 or 0.
 * - `notify(path, path bytes)`: a service of this module has changed; gives the number of observers.
 * - `timer(id, first ms, period ms)`: starts timer 0 to 3 (period 0: once; first 0 and period 0: stops it); 1 or 0.
 * - `now()`: microseconds since the start. `random()`: 32 bits. `log(text, bytes)`: a line on the console with the
 *   module's name. `time_left()`: CPU microseconds until the deadline of this invocation.
 */
export const THINGSPIRE_SIGNATURES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    call: 'iiiii:i',
    request: 'iiiiiii:i',
    parameter: 'iii:i',
    query: 'iiii:i',
    caller: 'ii:i',
    grant: 'iiiii:i',
    grant_caller: 'iiii:i',
    revoke: 'i:i',
    observe: 'iiii:i',
    unobserve: 'i:i',
    notify: 'ii:i',
    timer: 'iii:i',
    now: ':I',
    random: ':i',
    log: 'ii:',
    time_left: ':i',
  }),
);
