// The modules that the measurements of inter-module communication run: a caller that does a list of things twice each, a
// callee, and a pair where one preempts the other. Gives WebAssembly text and manifests; knows no machine.
import type {
  FieldEntry,
  ModuleEntry,
  RequirementEntry,
  ServiceEntry,
  ThingsFile,
  TypeEntry,
} from '../../manifest/file.js';

/** What the caller does once to warm up and once to be measured. */
export interface Action {
  readonly id: string;
  readonly title: string;
  readonly kind: 'call' | 'grant' | 'revoke';
  /** Path it requests or grants to. */
  readonly path: string;
  readonly payload: number;
  readonly capacity: number;
  /** What is counted: all but the handler, or the handler alone. */
  readonly part: 'system' | 'handler';
}

const SIZES = [0, 16, 256, 1024, 4096];
const WORDS_BYTES = 1024;

/** A record of so many bytes, three of its fields with ranges. */
function record(bytes: number): TypeEntry {
  const range = (name: string): FieldEntry => ({ name, type: 'i32', min: -1000, max: 1000 });
  const fields: FieldEntry[] = [range('a'), range('b'), range('c'), { name: 'd', type: 'u32' }];
  for (let left = (bytes - 16) / 8; left > 0; left -= 255)
    fields.push({ name: `rest${left}`, type: 'u64', count: Math.min(left, 255) });
  return { type: 'record', fields };
}

const call = (id: string, title: string, path: string, payload: number, capacity = 0): Action => ({
  id,
  title,
  kind: 'call',
  path,
  payload,
  capacity,
  part: 'system',
});
const handled = (id: string, title: string, path: string, payload: number): Action => ({
  ...call(id, title, path, payload),
  part: 'handler',
});

export const ACTIONS: readonly Action[] = [
  ...SIZES.map((bytes) => call(`call-${bytes}`, `call, ${bytes} bytes, lengths checked`, '/bytes', bytes)),
  ...SIZES.filter((bytes) => bytes > 0).map((bytes) =>
    call(`checked-${bytes}`, `call, record of ${bytes} bytes, 3 ranges checked`, `/record${bytes}`, bytes),
  ),
  call('answered', 'call, record of 16 bytes there, 8 back, 4 ranges checked', '/answer', 16, 8),
  { ...call('grant', 'grant of 1,024 bytes', '/bytes', 1024), kind: 'grant' },
  { ...call('revoke', 'revoke', '/bytes', 1024), kind: 'revoke' },
  handled('own-1', 'handler that loads a word of its own memory', '/own', 4),
  handled('window-1', 'handler that loads a word through a window', '/window', 4),
  handled('own-256', 'loop over 256 words of own memory', '/own', WORDS_BYTES),
  handled('window-256', 'loop over 256 words of a window', '/window', WORDS_BYTES),
  handled('copy-own', 'memory.copy of 1,024 bytes in own memory', '/copy-own', WORDS_BYTES),
  handled('copy-window', 'memory.copy of 1,024 bytes out of a window', '/copy-window', WORDS_BYTES),
];

const CALL = '(import "thingspire" "call" (func $call (param i32 i32 i32 i32 i32) (result i32)))';
const GRANT = '(import "thingspire" "grant" (func $grant (param i32 i32 i32 i32 i32) (result i32)))';
const REVOKE = '(import "thingspire" "revoke" (func $revoke (param i32) (result i32)))';
const TIMER = '(import "thingspire" "timer" (func $timer (param i32 i32 i32) (result i32)))';

/** Where the caller's payload lies. */
const PAYLOAD = 4096;

const paths = [...new Set(ACTIONS.map(({ path }) => path))];

function text(action: Action): string {
  const requirement = paths.indexOf(action.path);
  const { payload, capacity } = action;
  const at = `(i32.const ${PAYLOAD})`;
  const words = (...values: number[]): string => values.map((value) => `(i32.const ${value})`).join(' ');
  switch (action.kind) {
    case 'call':
      return `(drop (call $call (i32.const ${requirement}) ${at} ${words(payload, 2 * PAYLOAD, capacity)}))`;
    case 'grant':
      return `(global.set $window (call $grant (i32.const ${requirement}) ${at} ${words(payload, 1, 0)}))`;
    case 'revoke':
      return `(drop (call $revoke (global.get $window)))`;
  }
}

/** Granting and revoking take turns; everything else is done twice in a row. */
function callerText(): string {
  const pair = ACTIONS.filter(({ kind }) => kind !== 'call').map(text);
  const body = ACTIONS.filter(({ kind }) => kind === 'call').flatMap((action) => [text(action), text(action)]);
  return `(module ${CALL} ${GRANT} ${REVOKE} (memory 1) (global $window (mut i32) (i32.const 0))
    (func (export "on_start") ${[...body, ...pair, ...pair].join('\n')}))`;
}

const HANDLER = '(param $p i32) (param $n i32) (param $r i32) (param $c i32) (result i32)';
const CHANGED = '(i32.const 0x44)';
const sum = (
  name: string,
  from: string,
): string => `(func (export "${name}") ${HANDLER} (local $at i32) (local $end i32)
  (local $total i32)
  (local.set $at ${from})
  (local.set $end (i32.add ${from} (local.get $n)))
  (loop $next
    (local.set $total (i32.add (local.get $total) (i32.load (local.get $at))))
    (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4))) (local.get $end))))
  (i32.store (i32.const 0) (local.get $total))
  ${CHANGED})`;

/** The base of own memory comes from a global, so that the compiler knows as little of it as of a window. */
const CALLEE = `(module (memory 1) (global $own (export "own") (mut i32) (i32.const 8192))
  (func (export "reply") ${HANDLER} ${CHANGED})
  (func (export "answer") ${HANDLER}
    (i32.store (local.get $r) (i32.const 1))
    (i32.store offset=4 (local.get $r) (i32.const 2))
    (i32.const 0x45000008))
  ${sum('sum_own', '(global.get $own)')}
  ${sum('sum_window', '(local.get $p)')}
  (func (export "copy_own") ${HANDLER}
    (memory.copy (i32.const 16384) (global.get $own) (local.get $n)) ${CHANGED})
  (func (export "copy_window") ${HANDLER}
    (memory.copy (i32.const 16384) (local.get $p) (local.get $n)) ${CHANGED}))`;

const BYTES: TypeEntry = { type: 'bytes', max: 4096 };
const RANGED: TypeEntry = {
  type: 'record',
  fields: [
    { name: 'a', type: 'i32', min: -1000, max: 1000 },
    { name: 'b', type: 'i32' },
  ],
};

function services(): ServiceEntry[] {
  const post = (path: string, handler: string, request: TypeEntry, response?: TypeEntry): ServiceEntry => ({
    method: 'POST',
    path,
    handler,
    contract: { request, ...(response === undefined ? {} : { response }), deadline: '2ms' },
  });
  return [
    post('/bytes', 'reply', BYTES),
    ...SIZES.filter((bytes) => bytes > 0).map((bytes) => post(`/record${bytes}`, 'reply', record(bytes))),
    post('/answer', 'answer', record(16), RANGED),
    post('/own', 'sum_own', BYTES),
    post('/window', 'sum_window', BYTES),
    post('/copy-own', 'copy_own', BYTES),
    post('/copy-window', 'copy_window', BYTES),
  ];
}

const module = (name: string, more: Partial<ModuleEntry>): ModuleEntry => ({
  name,
  wasm: `${name}.wasm`,
  version: '1.0.0',
  memory: { max: 32768 },
  ...more,
});
const requires = (wanted: readonly string[]): RequirementEntry[] => wanted.map((path) => ({ path, methods: ['POST'] }));

export interface Scene {
  readonly manifest: ThingsFile;
  /** Module name -> text. */
  readonly texts: Readonly<Record<string, string>>;
}

export const CALLS: Scene = {
  manifest: {
    name: 'calls',
    version: '1.0.0',
    modules: [module('callee', { provides: services() }), module('caller', { requires: requires(paths) })],
  },
  texts: { callee: CALLEE, caller: callerText() },
};

/** Milliseconds between the events of the urgent module. */
export const PERIOD_MS = 1;

/** Calls, grants, copies and plain loops without end, and a timer of the highest priority that breaks into them. */
export const PREEMPTION: Scene = {
  manifest: {
    name: 'preemption',
    version: '1.0.0',
    modules: [
      module('callee', { provides: services() }),
      module('busy', {
        priority: 0,
        eventDeadline: '8s',
        requires: requires(['/record16', '/window', '/copy-window']),
      }),
      module('urgent', { priority: 3 }),
    ],
  },
  texts: {
    callee: CALLEE,
    busy: `(module ${CALL} ${GRANT} ${REVOKE} ${TIMER} (memory 1)
      (func (export "on_start") (drop (call $timer (i32.const 0) (i32.const 1) (i32.const 0))))
      (func (export "on_timer") (param i32) (local $i i32) (local $round i32)
        (loop $again
          (local.set $round (i32.add (local.get $round) (i32.const 1)))
          (drop (call $call (i32.const 0) (i32.const 4096) (i32.const 16) (i32.const 0) (i32.const 0)))
          (drop (call $call (i32.const 1) (i32.const 4096) (i32.const 256) (i32.const 0) (i32.const 0)))
          (drop (call $call (i32.const 2) (i32.const 4096) (i32.const 1024) (i32.const 0) (i32.const 0)))
          (drop (call $revoke (call $grant (i32.const 1) (i32.const 4096) (i32.const 64) (i32.const 1) (i32.const 0))))
          (memory.fill (i32.const 8192) (local.get $round) (i32.const 512))
          (local.set $i (i32.and (local.get $round) (i32.const 63)))
          (loop $spin
            (br_if $spin (i32.ge_s (local.tee $i (i32.sub (local.get $i) (i32.const 1))) (i32.const 0))))
          (br $again))))`,
    urgent: `(module ${TIMER}
      (func (export "on_start") (drop (call $timer (i32.const 0) (i32.const ${PERIOD_MS}) (i32.const ${PERIOD_MS}))))
      (func (export "on_timer") (param i32)))`,
  },
};

/** Slots and drivers as well: what the firmware takes at most. */
export const EVERYTHING: Scene = {
  manifest: {
    ...CALLS.manifest,
    slots: [{ name: 'free', pages: 1, ram: 16384 }],
    publicKey: 'given.pem',
    modules: [
      ...CALLS.manifest.modules,
      module('user', { requires: [{ path: '/dev/*', methods: ['GET', 'PUT', 'POST'] }] }),
    ],
  },
  texts: {
    ...CALLS.texts,
    user: '(module (import "thingspire" "random" (func $random (result i32))) (func (export "on_start") (drop (call $random))))',
  },
};
