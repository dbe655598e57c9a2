// The contract between the script runner and what executes modules (compiled code in the simulator, IR interpreter).
import type { Value } from './values.js';

/** How an invocation ended. `message` is the trap's text as in compiler/abi/traps.ts. */
export type Outcome =
  { readonly kind: 'values'; readonly values: readonly Value[] } | { readonly kind: 'trap'; readonly message: string };

/** An instantiated module. Opaque to the runner. */
export type Instance = unknown;

/** A module whose start function or active segments trapped while it was instantiated. */
export class InstantiationTrap extends Error {}

/** A resource that the device lacks (memory, code space): the command is a skip with this reason. */
export class DeviceLimit extends Error {}

export interface Executor {
  readonly name: string;
  /** A fresh device with nothing on it but the runtime and `spectest`. */
  reset(): void;
  /** Throws DiagnosticError for bad modules and imports, InstantiationTrap, DeviceLimit. */
  instantiate(bytes: Uint8Array): Instance;
  register(name: string, instance: Instance): void;
  invoke(instance: Instance, field: string, args: readonly Value[]): Outcome;
  /** Value of an exported global. */
  get(instance: Instance, field: string): Value;
}
