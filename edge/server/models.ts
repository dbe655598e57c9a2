// Manifest entries of the modules in the fleet, for the types of payloads. Takes the registry and the packages; follows
// changes. Knows no place.
import type { ModuleModel } from '../../manifest/model.js';
import { DEVICE_MODULE, SYSTEM_MODEL } from '../device/system-services.js';
import { modelOfPackage } from '../fleet/edge-place.js';
import type { PackageStore } from '../fleet/packages.js';
import type { Placement, Registry } from '../fleet/types.js';
import type { Directory } from '../gateway/directory.js';

/** Hash of the package that has the manifest entry; empty: there is none. */
const packageOf = ({ hash, manifest }: Placement): string => manifest ?? hash;

export class Models implements Directory {
  private readonly byHash = new Map<string, ModuleModel>();
  private readonly unwatch: () => void;

  constructor(
    private readonly registry: Registry,
    private readonly packages: PackageStore,
  ) {
    this.unwatch = registry.watch((change) => {
      if (change.type === 'placement' && change.placement !== null) void this.load(change.placement);
    });
  }

  modelOf(thing: string, module: string): ModuleModel | null {
    const placement = this.registry.placement(thing, module)?.value;
    if (placement === undefined) return null;
    if (module === DEVICE_MODULE && placement.hash === '') return SYSTEM_MODEL;
    return this.byHash.get(packageOf(placement)) ?? null;
  }

  /** Reads what is not known yet. */
  async loadAll(): Promise<void> {
    await Promise.all([...this.registry.placements()].map((placement) => this.load(placement)));
  }

  close(): void {
    this.unwatch();
  }

  private async load(placement: Placement): Promise<void> {
    const { thing } = placement;
    const hash = packageOf(placement);
    if (hash === '' || this.byHash.has(hash)) return;
    try {
      const wasm = await this.packages.get(hash);
      if (wasm !== null) this.byHash.set(hash, modelOfPackage({ thing, wasm }));
    } catch {
      // Without it payloads are bytes; the next change of the placement tries again.
    }
  }
}
