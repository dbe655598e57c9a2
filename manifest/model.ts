// A manifest with its defaults filled in, its types laid out and its times as numbers: what everything behind the checks
// works with. Plain data; knows no JSON, no symbol and no byte.
import type { MethodName, RestartName, ScalarName } from './file.js';

/** JSON pointers say where a part comes from, for messages. */
export interface AppModel {
  readonly name: string;
  readonly version: string;
  readonly board: string | null;
  readonly modules: readonly ModuleModel[];
  readonly slots: readonly SlotModel[];
  /** PEM file, as written. */
  readonly publicKey: string | null;
  /** Speed of the serial line; null: as it is after a reset. */
  readonly consoleBaud: number | null;
  /** Records that have a name, for stubs. */
  readonly records: ReadonlyMap<string, RecordType>;
}

export interface ModuleModel {
  readonly name: string;
  readonly version: string;
  /** .wasm file, as written. */
  readonly wasm: string;
  readonly memoryMax: number | null;
  readonly stackBytes: number;
  readonly priority: number;
  readonly restart: { readonly policy: RestartName; readonly max: number; readonly backoffMs: number };
  readonly startDeadlineUs: number;
  readonly eventDeadlineUs: number;
  readonly provides: readonly ServiceModel[];
  readonly requires: readonly RequirementModel[];
  readonly env: readonly string[];
  readonly args: readonly string[];
  /** What travels with the module: the value of its custom section. */
  readonly travelling: unknown;
  readonly pointer: string;
}

export interface ServiceModel {
  readonly method: MethodName;
  /** Without leading slash. */
  readonly path: string;
  readonly handler: string;
  readonly observable: boolean;
  /** Link-format attributes, e.g. `;rt="temperature";obs`. */
  readonly attributes: string;
  readonly contract: ContractModel;
  readonly pointer: string;
}

export interface ContractModel {
  /** Null: no payload. */
  readonly request: PayloadType | null;
  readonly response: PayloadType | null;
  readonly deadlineUs: number;
  /** Calls a second, 0: no limit. */
  readonly rate: number;
  readonly burst: number;
  readonly callers: readonly string[] | null;
}

export interface RequirementModel {
  /** Without its first slash; `/thing/path` is on another device. A last segment `*` covers everything below. */
  readonly path: string;
  readonly methods: readonly MethodName[];
  /** For stubs. */
  readonly name: string;
  readonly external: boolean;
  /** 0: default. */
  readonly timeoutMs: number;
  readonly pointer: string;
}

export type PayloadType =
  { readonly kind: 'bytes' | 'utf8' | 'cbor'; readonly min: number; readonly max: number } | RecordType | ArrayType;

/** A C struct of scalars. */
export interface RecordType {
  readonly kind: 'record';
  /** Null: anonymous. */
  readonly name: string | null;
  readonly fields: readonly FieldModel[];
  readonly bytes: number;
}

export interface FieldModel {
  readonly name: string;
  readonly scalar: ScalarName;
  readonly offset: number;
  /** Elements; null: no array. */
  readonly count: number | null;
  readonly min: number | null;
  readonly max: number | null;
}

export interface ArrayType {
  readonly kind: 'array';
  readonly of: RecordType;
  readonly min: number;
  readonly max: number;
}

export interface SlotModel {
  readonly name: string;
  readonly pages: number;
  readonly ramBytes: number;
}

/** Limits of a payload in bytes. */
export function payloadBounds(type: PayloadType): { readonly min: number; readonly max: number } {
  switch (type.kind) {
    case 'record':
      return { min: type.bytes, max: type.bytes };
    case 'array':
      return { min: type.min * type.of.bytes, max: type.max * type.of.bytes };
    default:
      return { min: type.min, max: type.max };
  }
}
