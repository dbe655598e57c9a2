// things.json as its schema describes it. Plain types; knows no defaults and no meaning.

import type { MethodName } from '../compiler/abi/os-layout.js';

export type { MethodName };
export type ScalarName = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'u64' | 'i64' | 'f64' | 'bool';
export type RestartName = 'never' | 'on-fault' | 'always';

export interface ThingsFile {
  readonly name: string;
  readonly version: string;
  readonly board?: string;
  readonly modules: readonly ModuleEntry[];
  readonly types?: Readonly<Record<string, TypeEntry>>;
  readonly slots?: readonly SlotEntry[];
  readonly publicKey?: string;
  readonly console?: { readonly baud?: number };
}

export interface ModuleEntry {
  readonly name: string;
  readonly wasm: string;
  readonly version: string;
  readonly memory?: { readonly max?: number };
  readonly stack?: number;
  readonly priority?: number;
  readonly restart?: RestartName | { readonly policy: RestartName; readonly max?: number; readonly backoff?: string };
  readonly startDeadline?: string;
  readonly eventDeadline?: string;
  readonly provides?: readonly ServiceEntry[];
  readonly requires?: readonly RequirementEntry[];
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

export interface ServiceEntry {
  readonly method: MethodName;
  readonly path: string;
  readonly handler: string;
  readonly observable?: boolean;
  readonly attributes?: { readonly rt?: string; readonly if?: string; readonly title?: string; readonly ct?: number };
  readonly contract?: ContractEntry;
}

export interface ContractEntry {
  readonly request?: TypeUse;
  readonly response?: TypeUse;
  readonly deadline?: string;
  readonly rate?: string;
  readonly burst?: number;
  readonly callers?: readonly string[];
}

export interface RequirementEntry {
  readonly path: string;
  readonly methods: readonly MethodName[];
  readonly name?: string;
  readonly external?: boolean;
  readonly timeout?: string;
}

/** `none`, the name of a type, or a type. */
export type TypeUse = string | TypeEntry;
export type TypeEntry = BytesEntry | RecordEntry | ArrayEntry;

export interface BytesEntry {
  readonly type: 'bytes' | 'utf8' | 'cbor';
  readonly min?: number;
  readonly max: number;
}

export interface RecordEntry {
  readonly type: 'record';
  readonly fields: readonly FieldEntry[];
}

export interface FieldEntry {
  readonly name: string;
  readonly type: ScalarName;
  readonly min?: number;
  readonly max?: number;
  readonly count?: number;
}

export interface ArrayEntry {
  readonly type: 'array';
  readonly of: string | RecordEntry;
  readonly min?: number;
  readonly max: number;
}

export interface SlotEntry {
  readonly name: string;
  readonly pages: number;
  readonly ram: number;
}
