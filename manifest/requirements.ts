// Numbers a module's requirements: what `thingspire.call` is given. Pure.
import type { MethodName } from './file.js';
import type { RequirementModel } from './model.js';

export interface NumberedRequirement {
  readonly requirement: RequirementModel;
  readonly methods: readonly MethodName[];
}

/** Methods in the order of their numbers: a call without a method means the first. */
const ORDER: readonly MethodName[] = ['GET', 'POST', 'PUT', 'DELETE'];

/**
 * Entry i is requirement i of the manifest; a call of it means the first of its methods. For the other methods of an
 * exact path there is an entry each behind those, so that every one of them has a number.
 */
export function numberRequirements(requires: readonly RequirementModel[]): NumberedRequirement[] {
  const sorted = requires.map((requirement) => ({
    requirement,
    methods: ORDER.filter((method) => requirement.methods.includes(method)),
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
