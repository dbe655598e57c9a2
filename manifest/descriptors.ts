// Takes a model, gives the read-only tables that the kernel works from (compiler/abi/os-layout.ts) as objects to link
// with the modules. Knows layouts and symbol names; no address and no file.
import { writeObject } from '../backend-xtensa/elf/write-object.js';
import type { BoardDescription } from '../compiler/abi/boards.js';
import { LinkerSymbol } from '../compiler/abi/linker-symbols.js';
import {
  BOOT_TABLE_SYMBOL,
  KERNEL_HOOKS_SYMBOL,
  METHOD_NUMBERS,
  OS_ABI_VERSION,
  PayloadKind,
  RestartPolicy,
  ScalarKind,
  SYS_SYMBOL,
  SYS_WITH_SLOTS_SYMBOL,
  TS_BOOT_TABLE,
  TS_CONTRACT,
  TS_FIELD,
  TS_MODULE_INFO,
  TS_REQUIREMENT,
  TS_SERVICE,
  TS_SLOT,
  TS_TYPE,
} from '../compiler/abi/os-layout.js';
import { exportSymbol, memorySymbol, moduleRamSymbol, moduleSymbol } from '../compiler/abi/symbols.js';
import type { InputObject } from '../linker/object.js';
import { readObject } from '../linker/read-object.js';
import { journalFlash } from '../linker/slots.js';
import type { SlotPlace } from '../linker/slots.js';
import type { ScalarName } from './file.js';
import { payloadBounds } from './model.js';
import type { ContractModel, FieldModel, ModuleModel, PayloadType } from './model.js';
import { numberRequirements } from './requirements.js';
import { SCALARS } from './payload-types.js';
import { isElsewhere } from './routes.js';
import { encodeManifest } from './section.js';
import { NULL, StructWriter, symbolRef } from './struct-writer.js';
import type { FieldValue, Reference, StructValue } from './struct-writer.js';

/** What a module has that its manifest does not say. */
export interface ModuleFacts {
  /** Exported functions by name. */
  readonly exports: ReadonlySet<string>;
  readonly hasMemory: boolean;
}

export interface DescribedModule {
  readonly model: ModuleModel;
  readonly facts: ModuleFacts;
}

const RESTART_NUMBERS = { never: RestartPolicy.Never, 'on-fault': RestartPolicy.OnFault, always: RestartPolicy.Always };
const PAYLOAD_NUMBERS = {
  bytes: PayloadKind.Bytes,
  utf8: PayloadKind.Utf8,
  cbor: PayloadKind.Cbor,
  record: PayloadKind.Record,
  array: PayloadKind.Array,
};
const SCALAR_NUMBERS: Readonly<Record<ScalarName, number>> = {
  u8: ScalarKind.U8,
  i8: ScalarKind.I8,
  u16: ScalarKind.U16,
  i16: ScalarKind.I16,
  u32: ScalarKind.U32,
  i32: ScalarKind.I32,
  f32: ScalarKind.F32,
  u64: ScalarKind.U64,
  i64: ScalarKind.I64,
  f64: ScalarKind.F64,
  bool: ScalarKind.Bool,
};

/** The handlers of events, by field of ts_module_info: exports with these names. */
export const EVENT_EXPORTS = { on_start: ':', on_timer: 'i:', on_notify: 'ii:' } as const;

/** Writes the tables of modules into one section. */
export class DescriptorWriter {
  private readonly hot: StructWriter;
  private readonly cold: StructWriter;

  constructor(
    private readonly name: string,
    private readonly board: BoardDescription,
  ) {
    this.hot = new StructWriter('.rodata.things', `${name}$descriptors`);
    this.cold = new StructWriter('.rodata.manifests', `${name}$manifests`);
  }

  get structs(): StructWriter {
    return this.hot;
  }

  /**
   * The objects: tables that calls read, which stay in RAM with the kernel, and what is looked at rarely.
   * @param origin what the tables count as
   */
  finish(origin: InputObject['origin']): InputObject[] {
    return [
      readObject(writeObject([this.hot.finish()]), this.name, origin),
      readObject(writeObject([this.cold.finish()]), `${this.name} (manifests)`, 'module'),
    ];
  }

  /** struct ts_module_info of a module. */
  module({ model, facts }: DescribedModule): Reference {
    const { hot } = this;
    const { name, provides, requires, restart } = model;
    const ram = (what: Parameters<typeof moduleRamSymbol>[1]): Reference => symbolRef(moduleRamSymbol(name, what));
    const event = (entry: keyof typeof EVENT_EXPORTS): FieldValue =>
      facts.exports.has(entry) ? symbolRef(exportSymbol(name, entry)) : NULL;
    const manifest = encodeManifest(model.travelling);
    const requirements = numberRequirements(requires);
    return hot.struct(TS_MODULE_INFO, {
      os_abi_version: OS_ABI_VERSION,
      wasm: symbolRef(moduleSymbol(name)),
      name: hot.string(name),
      version: hot.string(model.version),
      priority: model.priority,
      restart: RESTART_NUMBERS[restart.policy],
      max_restarts: restart.max,
      backoff_ms: restart.backoffMs,
      stack_bottom: ram('stack_bottom'),
      stack_top: ram('stack_top'),
      data_start: ram('data_start'),
      data_load: ram('data_load'),
      data_bytes: ram('data_bytes'),
      bss_start: ram('bss_start'),
      bss_bytes: ram('bss_bytes'),
      services: hot.array(
        TS_SERVICE,
        provides.map((service) => ({
          path: hot.string(service.path),
          handler: symbolRef(exportSymbol(name, service.handler)),
          contract: this.contract(service.contract),
          attributes: hot.string(service.attributes),
          method: METHOD_NUMBERS[service.method],
          observable: service.observable ? 1 : 0,
        })),
      ),
      service_count: provides.length,
      requirement_count: requirements.length,
      requirements: hot.array(
        TS_REQUIREMENT,
        requirements.map(({ requirement, methods }) => ({
          path: hot.string(requirement.path),
          methods: methods.reduce((bits, method) => bits | (1 << METHOD_NUMBERS[method]), 0),
          host: isElsewhere(requirement.path) ? 1 : 0,
          deadline_ms: requirement.timeoutMs,
        })),
      ),
      start_deadline_cycles: this.cycles(model.startDeadlineUs),
      event_deadline_cycles: this.cycles(model.eventDeadlineUs),
      on_start: event('on_start'),
      on_timer: event('on_timer'),
      on_notify: event('on_notify'),
      manifest: this.cold.bytes(manifest),
      manifest_bytes: manifest.length,
      memory: facts.hasMemory ? symbolRef(memorySymbol(name, { index: 0, import: null })) : NULL,
    });
  }

  /** @param publicKey 32 bytes, or null */
  bootTable(
    app: { readonly name: string; readonly version: string; readonly consoleBaud: number | null },
    modules: readonly DescribedModule[],
    slots: readonly SlotPlace[],
    publicKey: Uint8Array | null,
  ): void {
    const { hot } = this;
    const infos = modules.map((module) => this.module(module));
    const table = hot.struct(TS_BOOT_TABLE, {
      kernel: symbolRef(KERNEL_HOOKS_SYMBOL),
      count: infos.length,
      modules: hot.words(infos),
      slot_count: slots.length,
      slots: hot.array(
        TS_SLOT,
        slots.map((slot) => ({
          name: hot.string(slot.name),
          code_base: slot.codeBase,
          rodata_base: slot.rodataBase,
          pages: slot.pages,
          flash_a: slot.flashA,
          flash_b: slot.flashB,
          ram_base: slot.ramBase,
          ram_bytes: slot.ramBytes,
        })),
      ),
      public_key: publicKey === null ? NULL : hot.bytes(publicKey),
      journal_flash: slots.length > 0 ? journalFlash(this.board) : 0,
      sys: symbolRef(slots.length > 0 ? SYS_WITH_SLOTS_SYMBOL : SYS_SYMBOL),
      base_id: symbolRef(LinkerSymbol.BaseId),
      name: hot.string(app.name),
      version: hot.string(app.version),
      free_ram: symbolRef(LinkerSymbol.FreeRam),
      console_baud: app.consoleBaud ?? 0,
    });
    hot.export(BOOT_TABLE_SYMBOL, table, TS_BOOT_TABLE.size);
  }

  private cycles(us: number): number {
    return Math.max(1, Math.round((us * this.board.cpuHz) / 1e6));
  }

  private contract({ request, response, deadlineUs, rate, burst, callers }: ContractModel): Reference {
    return this.hot.struct(TS_CONTRACT, {
      request: this.payload(request),
      response: this.payload(response),
      deadline_cycles: this.cycles(deadlineUs),
      rate_per_second: rate,
      burst,
      callers: this.hot.words((callers ?? []).map((name) => this.hot.string(name))),
      caller_count: callers?.length ?? 0,
    });
  }

  private payload(type: PayloadType | null): FieldValue {
    if (type === null) return NULL;
    return this.hot.once(JSON.stringify(type), () => {
      const record = type.kind === 'record' ? type : type.kind === 'array' ? type.of : null;
      const restricted = (record?.fields ?? []).flatMap(fieldRange);
      const { min, max } = payloadBounds(type);
      return this.hot.struct(TS_TYPE, {
        kind: PAYLOAD_NUMBERS[type.kind],
        field_count: restricted.length,
        element_bytes: record?.bytes ?? 0,
        min_bytes: min,
        max_bytes: max,
        fields: this.hot.array(TS_FIELD, restricted),
      });
    });
  }
}

/** struct ts_field of a field that has a range; of the others nothing. */
function fieldRange({ scalar, offset, count, min, max }: FieldModel): StructValue[] {
  if (min === null && max === null && scalar !== 'bool') return [];
  const { min: least, max: greatest } = SCALARS[scalar];
  const isFloat = scalar === 'f32' || scalar === 'f64';
  return [
    {
      offset,
      kind: SCALAR_NUMBERS[scalar],
      count: count ?? 1,
      min: isFloat ? floatBound(min ?? -Infinity, scalar, -1) : (min ?? least!),
      max: isFloat ? floatBound(max ?? Infinity, scalar, 1) : (max ?? greatest!),
    },
  ];
}

const words = new DataView(new ArrayBuffer(4));

/**
 * f32 bits of a bound. A bound of an f64 that no f32 is equal to moves outwards (`direction`), so that the bound itself
 * stays allowed; that of an f32 is the nearest one, as the module's own constant is.
 */
function floatBound(value: number, scalar: 'f32' | 'f64', direction: 1 | -1): number {
  const nearest = Math.fround(value);
  words.setFloat32(0, nearest);
  const inside = direction === 1 ? nearest >= value : nearest <= value;
  if (scalar === 'f32' || inside) return words.getUint32(0);
  // The next f32: its bits count up away from zero.
  const away = nearest === 0 || Math.sign(nearest) === direction;
  if (nearest === 0) words.setFloat32(0, direction === 1 ? 0 : -0);
  return (words.getUint32(0) + (away ? 1 : -1)) >>> 0;
}
