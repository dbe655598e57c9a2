// Takes a linked image of the device OS, gives what each module, the kernel and each slot take of it. Refuses to know
// how it is displayed in colour.
import { regionLines } from '../linker/bill.js';
import type { Bill } from '../linker/bill.js';
import type { LinkedImage } from '../linker/linked.js';
import type { SlotPlace } from '../linker/slots.js';
import type { StackNeed } from './check-modules.js';
import { formatTime } from './check.js';
import type { AppModel } from './model.js';

export interface ModuleBill {
  readonly name: string;
  readonly version: string;
  /** Code bytes in internal RAM and in flash. */
  readonly iram: number;
  readonly irom: number;
  /** Constants and the load image, wherever they are. */
  readonly rodata: number;
  /** Data, tables and memories. */
  readonly ram: number;
  readonly memory: number;
  readonly stack: number;
  /** Most that an entry needs of the stack, null where one has no bound. */
  readonly stackNeed: number | null;
  readonly needs: readonly StackNeed[];
}

export interface DeviceBill {
  readonly app: string;
  readonly modules: readonly ModuleBill[];
  /** Runtime and kernel with the tables of the manifest: code, and constants, data and zeros in RAM. */
  readonly system: { readonly code: number; readonly ram: number; readonly stack: number };
  readonly slots: readonly SlotPlace[];
  readonly routes: readonly string[];
}

export function deviceBill(
  app: AppModel,
  linked: LinkedImage,
  needs: readonly StackNeed[],
  slots: readonly SlotPlace[],
): DeviceBill {
  const moduleOf = new Map(linked.modules.map(({ file, info }) => [file, info.module]));
  const bytes = (name: string | null, kinds: readonly string[], region?: string): number =>
    linked.sections.reduce((sum, { origin, object, kind, region: where, size }) => {
      const owner = origin === 'module' ? moduleOf.get(object) : null;
      return owner === name && kinds.includes(kind) && (region === undefined || region === where) ? sum + size : sum;
    }, 0);
  const modules = app.modules.map(({ name, version, stackBytes }): ModuleBill => {
    const own = needs.filter(({ module }) => module === name);
    const range = linked.moduleRam.find(({ module }) => module === name)!.ram;
    return {
      name,
      version,
      iram: bytes(name, ['code'], 'IRAM'),
      irom: bytes(name, ['code'], 'IROM'),
      rodata: bytes(name, ['rodata', 'data', 'modules']),
      ram: range.end - range.base,
      memory: linked.memories.reduce((sum, { module, capacity }) => (module === name ? sum + capacity : sum), 0),
      stack: stackBytes,
      stackNeed: own.some((need) => need.bytes === null) ? null : Math.max(0, ...own.map((need) => need.bytes!)),
      needs: own,
    };
  });
  return {
    app: `${app.name} ${app.version}`,
    modules,
    system: {
      code: bytes(null, ['code', 'vectors']),
      ram: bytes(null, ['rodata', 'data', 'bss', 'modules']),
      stack: linked.stack === null ? 0 : linked.stack.end - linked.stack.base,
    },
    slots,
    routes: app.modules.flatMap(({ name, provides }) =>
      provides.map(
        ({ method, path, contract }) => `${method} /${path} (${name}, at most ${formatTime(contract.deadlineUs)})`,
      ),
    ),
  };
}

/** For people, without colours; with what the whole image takes. */
export function formatDeviceBill({ app, modules, system, slots, routes }: DeviceBill, image: Bill): string {
  const width = Math.max(8, ...modules.map(({ name, version }) => name.length + version.length + 1));
  const cell = (value: number | string): string => String(value).padStart(9);
  const row = (name: string, cells: readonly (number | string)[]): string =>
    `${name.padEnd(width)}${cells.map(cell).join('')}`;
  const lines = [app, row('', ['iram', 'irom', 'rodata', 'ram', '(memory)', 'stack', 'needs'])];
  for (const { name, version, iram, irom, rodata, ram, memory, stack, stackNeed } of modules)
    lines.push(row(`${name} ${version}`, [iram, irom, rodata, ram, memory, stack, stackNeed ?? 'open']));
  lines.push(row('system', [system.code, '', '', system.ram, '', system.stack, '']));
  for (const slot of slots)
    lines.push(
      `slot ${slot.name}: 2 x ${slot.pages * 64} KiB of flash from 0x${slot.flashA.toString(16)}, ${slot.ramBytes} bytes of RAM`,
    );
  return `${[...lines, '', ...regionLines(image), '', ...routes].join('\n')}\n`;
}
