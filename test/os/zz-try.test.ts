import { it, expect } from 'vitest';
import { buildSlots, SlotsDevice, SIGNER } from './slots-device.js';
import { packageContents, signPackage } from './slot-package.js';
it('slots', async () => {
  const built = await buildSlots();
  console.log(built.slots, built.baseId);
  const d = new SlotsDevice(built).calm();
  console.log(d.console, d.machine.instructions);
  console.log(d.get('sys/slots').code, d.slot());
  const p = signPackage(
    packageContents({ slot: built.slots[0]!, baseId: built.baseId, name: 'guest', version: [1, 0, 0], answer: 0x44 }),
    SIGNER,
  );
  const before = d.machine.instructions,
    c0 = d.machine.cycles;
  console.log(
    'install',
    d.install(p).code,
    d.machine.instructions - before,
    (d.machine.cycles - c0) / 40e6,
    d.machine.flashChip.operations,
  );
  console.log(d.console);
  d.calm();
  console.log(d.slot(), d.console, d.get('guest').code);
}, 100000);
