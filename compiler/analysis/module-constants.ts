// What a module never changes: globals that nobody writes and tables whose entries stay as instantiation sets them. Takes a
// module whose bodies are complete; gives values and entries. Knows no pass.
import type { IrModule } from '../ir/module.js';
import { Op } from '../ir/ops.js';

export interface ModuleConstants {
  /** Bits (low and high word) of each global that has one value all the time, else null; by global index. */
  readonly globals: readonly (readonly [number, number] | null)[];
  /** Function index or null of every entry, for tables whose entries are known at compile time, else null. */
  readonly tables: readonly (readonly (number | null)[] | null)[];
}

/** Entries of a table that are worth following. */
const MAX_ENTRIES = 65536;

export function moduleConstants(module: IrModule): ModuleConstants {
  const written = new Uint8Array(module.globals.length);
  for (const { blocks } of module.bodies) {
    for (const { insts } of blocks) for (const inst of insts) if (inst.op === Op.GlobalSet) written[inst.imm] = 1;
  }
  const globals = module.globals.map(({ index, init, import: from, mutable, exported }) =>
    from === null && !(mutable && exported) && written[index] === 0 ? init : null,
  );
  const tables: ((number | null)[] | null)[] = module.tables.map(({ mutable, min, refType }) =>
    mutable || refType !== 'funcref' || min > MAX_ENTRIES ? null : new Array<number | null>(min).fill(null),
  );
  fillTables(module, tables);
  return { globals, tables };
}

/** Follows what the init function does to tables; what cannot be followed makes the table unknown. */
function fillTables(module: IrModule, tables: ((number | null)[] | null)[]): void {
  const init = module.bodies.find(({ index }) => index === module.initIndex);
  for (const { insts } of init?.blocks ?? []) {
    for (const { op, args, imm, imm2 } of insts) {
      if (op === Op.TableSet) tables[imm] = null;
      if (op !== Op.TableInit) continue;
      const entries = tables[imm];
      if (entries === null || entries === undefined) continue;
      const [place, from, count] = args;
      const segment = module.elems[imm2]!.entries;
      const constant = place!.op === Op.I32Const && from!.op === Op.I32Const && count!.op === Op.I32Const;
      const start = place!.imm >>> 0;
      // A segment that does not fit traps, and nothing runs afterwards; not worth following either.
      if (!constant || from!.imm !== 0 || count!.imm !== segment.length || start + segment.length > entries.length) {
        tables[imm] = null;
        continue;
      }
      segment.forEach((entry, i) => (entries[start + i] = entry));
    }
  }
}
