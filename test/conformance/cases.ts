// All conformance cases, in the order of the table.
import type { Case } from './case.js';
import { CONTRACTS } from './cases/contracts.js';
import { EVENTS } from './cases/events.js';
import { FAULTS } from './cases/faults.js';
import { GRANTS } from './cases/grants.js';
import { LANGUAGE } from './cases/language.js';
import { LIVES } from './cases/lives.js';
import { REQUESTS } from './cases/requests.js';
import { SDKS } from './cases/sdks.js';
import { WASI } from './cases/wasi.js';

export const CASES: readonly Case[] = [
  ...CONTRACTS,
  ...REQUESTS,
  ...GRANTS,
  ...EVENTS,
  ...FAULTS,
  ...LIVES,
  ...LANGUAGE,
  ...WASI,
  ...SDKS,
];
