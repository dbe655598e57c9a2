import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ESP32 } from '../../compiler/abi/boards.js';
import { RegisterBlock } from '../bus/peripheral.js';
import { Machine } from '../machine.js';

it('docs/simulator.md lists exactly the registers that are kept without effect', () => {
  const machine = new Machine({ board: ESP32 });
  const rows = machine.peripherals
    .filter((block): block is RegisterBlock => block instanceof RegisterBlock && block.accepted.length > 0)
    .map((block) => `| ${block.name} | ${block.accepted.join(', ')} |`);
  const doc = readFileSync(new URL('../../docs/simulator.md', import.meta.url), 'utf8');
  const listed = doc.slice(doc.indexOf('## Registers kept without effect')).split('\n');
  expect(listed.filter((line) => line.startsWith('| ') && !line.startsWith('| block'))).toEqual(rows);
});
