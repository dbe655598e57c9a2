// Measures how long the kernel may hold things up over the scenarios of the preemption test: the longest section with
// interrupts masked, and the longest way from an expired deadline to the module that goes on. Knows no scenario itself.
import { prepareRuntime } from '../../test/os/os-device.js';
import { longestMasked, longestStop } from '../../test/os/preempt/masked.js';
import { SCENARIOS } from '../../test/os/preempt/scenarios.js';
import type { Figure } from './measure.js';

/** A prime: every so many instructions a deadline expires. */
const STRIDE = 97;

export async function measureLatency(): Promise<Figure[]> {
  await prepareRuntime();
  let masked = 0;
  let stop = { instructions: 0, cycles: 0 };
  let stops = 0;
  for (const scenario of SCENARIOS) {
    masked = Math.max(masked, (await longestMasked(scenario)).instructions);
    const longest = await longestStop(scenario, STRIDE);
    stops += longest.stops;
    if (longest.instructions > stop.instructions) stop = longest;
  }
  const { instructions, cycles } = stop;
  return [
    { id: 'masked', title: 'longest section with interrupts masked', instructions: masked, cycles: null },
    {
      id: 'deadline-worst',
      title: `expired deadline to the code that goes on, worst of ${stops}`,
      instructions,
      cycles,
      sampled: true,
    },
  ];
}
