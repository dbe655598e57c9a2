// What must hold of the kernel's tables whenever nothing runs. Takes a device at rest, gives the violations as text.
import { ModuleState } from '../../../compiler/abi/os-layout.js';
import { kernelState } from '../kernel-state.js';
import type { OsDevice } from '../os-device.js';

const CALL_GRANT = 1;
/** As in kernel.h: entries before this one are for calls. */
const CALL_GRANTS = 32;

/** Empty when all is well. `states`: also that every module runs. */
export function violations(device: OsDevice, states: boolean): string[] {
  const kernel = kernelState(device);
  const wrong: string[] = [];
  const expect = (holds: boolean, what: string): void => {
    if (!holds) wrong.push(what);
  };
  expect(kernel.preempted === 0, `${kernel.preempted} preempted chains`);
  expect(kernel.chains.flat().length === 0, `${kernel.chains.flat().length} frames`);
  expect(kernel.ceiling === 0, `ceiling ${kernel.ceiling}`);
  expect(kernel.level === 0, `level ${kernel.level}`);
  expect(kernel.ready === 0, `ready ${kernel.ready}`);
  expect(
    kernel.pending.every((mask) => mask === 0),
    `pending ${kernel.pending.join()}`,
  );
  for (const module of kernel.modules) {
    const { name } = module;
    expect(module.depth === 0, `${name}: depth ${module.depth}`);
    expect(module.sp === module.stackTop, `${name}: sp ${module.sp.toString(16)} is not its stack's top`);
    expect(module.events === 0, `${name}: events ${module.events}`);
    expect(module.ceiling >= module.level, `${name}: ceiling ${module.ceiling} below its level`);
    if (states) expect(module.state === ModuleState.Running, `${name}: state ${module.state}`);
  }
  wrong.push(...grantViolations(device));
  return wrong;
}

function grantViolations(device: OsDevice): string[] {
  const { grants, callGrants, freeHead, freeTail, modules } = kernelState(device);
  const wrong: string[] = [];
  const live = grants.filter(({ key }) => key !== 0);
  for (const grant of live) {
    if ((grant.flags & CALL_GRANT) !== 0) wrong.push(`grant ${grant.index} of a call outlives it`);
    if ((grant.key & 63) !== grant.index || grant.key >>> 13 !== 1)
      wrong.push(`grant ${grant.index} has key ${grant.key.toString(16)}`);
    for (const who of [grant.holder, grant.owner])
      if (!modules.some(({ index }) => index === who)) wrong.push(`grant ${grant.index} belongs to no module`);
    if (grant.parent !== 0) {
      const parent = grants[grant.parent - 1]!;
      if (parent.key === 0) wrong.push(`grant ${grant.index} outlives the one it was made from`);
      if (grant.base < parent.base || grant.base + grant.length > parent.base + parent.length)
        wrong.push(`grant ${grant.index} shows more than its parent`);
      if ((grant.rights & ~parent.rights) !== 0) wrong.push(`grant ${grant.index} has more rights than its parent`);
      let child = parent.child;
      for (let steps = 0; child !== 0 && child !== grant.index + 1 && steps < 64; steps++)
        child = grants[child - 1]!.sibling;
      if (child !== grant.index + 1) wrong.push(`grant ${grant.index} is not among its parent's`);
    }
  }
  if (callGrants !== 0) wrong.push(`${callGrants} grants of calls are left`);
  const free = new Set<number>();
  let last = 0;
  for (let at = freeHead; at !== 0; at = grants[at - 1]!.sibling) {
    if (free.has(at)) {
      wrong.push('the queue of free grants is a circle');
      break;
    }
    if (at <= CALL_GRANTS) wrong.push(`grant ${at - 1} of calls is in the queue of the others`);
    if (grants[at - 1]!.key !== 0) wrong.push(`grant ${at - 1} is free and in use`);
    free.add(at);
    last = at;
  }
  if (last !== freeTail) wrong.push(`the queue of free grants ends with ${last - 1}, not with ${freeTail - 1}`);
  const lost = grants.length - CALL_GRANTS - free.size - live.length;
  if (lost !== 0) wrong.push(`${lost} grants are lost`);
  return wrong;
}
