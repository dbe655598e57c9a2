// Takes a linked image of the device OS, gives what the firmware takes of code and RAM, by part. Knows which object is
// which part of the system and what each is allowed to take; measures nothing at run time.
import { MAX_MODULES } from '../../compiler/abi/os-layout.js';
import type { LinkedImage } from '../../linker/linked.js';

export interface PartFootprint {
  readonly part: string;
  readonly code: number;
  readonly rodata: number;
  readonly ram: number;
}

export interface Footprint {
  readonly kernel: readonly PartFootprint[];
  readonly libraries: readonly PartFootprint[];
  /** Kernel RAM that each module takes, used or not. */
  readonly perModule: number;
}

/** Upper limits in bytes. */
export const LIMITS = { code: 32 * 1024, ram: 8 * 1024, perModule: 512 } as const;

/** Part of the kernel -> objects; a name ends at the first dot. Everything else is the AoT runtime. */
const PARTS: readonly (readonly [string, readonly string[]])[] = [
  ['IMC handler', ['imc', 'call', 'route', 'observe', 'discovery', 'module-calls']],
  ['security daemon', ['grant', 'grants', 'contract', 'window']],
  [
    'scheduler and faults',
    ['chain', 'scheduler', 'timer', 'lifecycle', 'switch', 'hold', 'os-report', 'os-boot', 'fault'],
  ],
  ['modules and their states', ['manager', 'snapshot', 'cbor', 'crc32']],
  ['drivers', ['dev', 'gpio', 'i2c']],
];
/**
 * What the kernel uses, modules call, or only some images have, and is not the kernel: not counted against its limits.
 */
const LIBRARIES: readonly (readonly [string, readonly string[]])[] = [
  [
    'installed modules (slots, packages, flash)',
    ['installer', 'slots', 'journal', 'package', 'flash', 'verify', 'signature'],
  ],
  [
    'remote IMC (CoAP on the serial line)',
    [
      'client',
      'coap',
      'exchange',
      'fcs',
      'follow',
      'link',
      'observers',
      'receive',
      'server',
      'transmit',
      'worker',
      'fifo',
      'wait',
    ],
  ],
  ['cryptography (Monocypher)', ['monocypher', 'monocypher-ed25519']],
  [
    'libraries of compiled code, WASI',
    [
      'float64',
      'float64-fast',
      'float32',
      'float32-fast',
      'convert',
      'int64',
      'memory',
      'string',
      'helpers',
      'wasi',
      'wasi-nosys',
    ],
  ],
];
const RUNTIME = 'AoT runtime';

/** @throws Error for an image without the kernel */
export function footprint(image: LinkedImage): Footprint {
  const names = [RUNTIME, ...[...PARTS, ...LIBRARIES].map(([name]) => name)];
  const parts = new Map(names.map((part) => [part, { part, code: 0, rodata: 0, ram: 0 }]));
  for (const { origin, object, kind, size } of image.sections) {
    // The descriptors that the build makes belong to the application.
    if (origin !== 'runtime' || !object.endsWith('.o')) continue;
    const name = object.split('.')[0]!;
    const [found = RUNTIME] = [...PARTS, ...LIBRARIES].find(([, objects]) => objects.includes(name)) ?? [];
    const part = parts.get(found)!;
    if (kind === 'code' || kind === 'vectors') part.code += size;
    else if (kind === 'rodata' || kind === 'modules') part.rodata += size;
    else part.ram += size;
  }
  const modules = image.symbols.get('ts_modules');
  if (modules === undefined) throw new Error('no image of the device OS');
  return {
    kernel: [RUNTIME, ...PARTS.map(([name]) => name)].map((name) => parts.get(name)!),
    libraries: LIBRARIES.map(([name]) => parts.get(name)!),
    perModule: modules.size / MAX_MODULES,
  };
}
