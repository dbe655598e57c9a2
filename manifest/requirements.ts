// Numbers a module's requirements: what `thingspire.call` is given. Pure.
import { METHOD_NAMES } from '../compiler/abi/os-layout.js';
import type { MethodName } from './file.js';
import type { RequirementModel } from './model.js';

export interface NumberedRequirement {
  readonly requirement: RequirementModel;
  readonly methods: readonly MethodName[];
}

/**
 * Entry i is requirement i of the manifest; a call of it means the first of its methods, in the order of their numbers. For the other methods of an
 * exact path there is an entry each behind those, so that every one of them has a number.
 */
export function numberRequirements(requires: readonly RequirementModel[]): NumberedRequirement[] {
  const sorted = requires.map((requirement) => ({
    requirement,
    methods: METHOD_NAMES.filter((method) => requirement.methods.includes(method)),
  }));
  const more = sorted.flatMap(({ requirement, methods }) =>
    isExact(requirement) ? methods.slice(1).map((method) => ({ requirement, methods: [method] })) : [],
  );
  return [...sorted, ...more];
}

/** Only a path without `*` can be called by number. */
export function isExact({ path }: RequirementModel): boolean {
  return path !== '*' && !path.endsWith('/*');
}
