// Measures the installation of a signed package on the simulated chip, from the first request until the module answers:
// the flash's busy times and the signature are most of it. Knows no module manager but its services.
import { packageContents, signPackage } from '../../test/os/slot-package.js';
import { SIGNER, SlotsDevice, buildSlots } from '../../test/os/slots-device.js';
import { InternalError } from '../../compiler/diagnostics.js';
import type { Figure } from './measure.js';

const PACKAGE_BYTES = 16 * 1024;
const HEADER_BYTES = 0x1000;

/** @throws InternalError if it cannot be installed */
export async function measureInstall(): Promise<Figure[]> {
  const built = await buildSlots();
  const device = new SlotsDevice(built).calm();
  const contents = packageContents({
    slot: built.slots[0]!,
    baseId: built.baseId,
    name: 'guest',
    version: [1, 0, 0],
    answer: 0x44,
    ballast: PACKAGE_BYTES - HEADER_BYTES,
  });
  const { instructions, cycles } = device.machine;
  const { code } = device.install(signPackage(contents, SIGNER));
  if (code !== 2.04) throw new InternalError(`the package was refused: ${code}`);
  while (device.request('GET', 'guest').code !== 2.04) device.pass(1);
  return [
    {
      id: 'install',
      title: 'installing a package of 16 KiB: flash, hash, signature, start',
      instructions: device.machine.instructions - instructions,
      cycles: device.machine.cycles - cycles,
    },
  ];
}
