// Grants: agents that do what they are told (test/os/agent.ts) open, use, hand on and close windows, first by hand and then
// at random. Windows have other addresses on each side: an answer that is one is told as such, and sent by its number.
import { agent, DATA, Op, payload } from '../../os/agent.js';
import type { Case, CaseModule, Step } from '../case.js';

const NAMES = ['ada', 'bob', 'eve'] as const;
const READ = 1;
const WRITE = 2;
const BOTH = READ | WRITE;

const agents = (): CaseModule[] =>
  NAMES.map((name) => {
    const { wat, ...entry } = agent(
      name,
      NAMES.filter((other) => other !== name),
    );
    return { ...entry, stack: 3072, source: { wat } };
  });
/** Numbers of the other two as an agent knows them. */
const other = (name: string, wanted: string): number => NAMES.filter((one) => one !== name).indexOf(wanted as 'ada');

const tell = (name: string, ...words: (number | WindowWord)[]): Step => ({
  ask: 'PUT',
  uri: `/${name}`,
  payload: payload(...words.map((word) => (typeof word === 'number' ? word : 0))),
  windows: words.flatMap((word, at) => (typeof word === 'number' ? [] : [{ at, ...word }])),
});
/** Opens a window and keeps its address under a number. */
const open = (
  number: number,
  name: string,
  to: string,
  address: number | WindowWord,
  bytes: number,
  rights: number,
  ms = 0,
): Step => ({
  ...(tell(name, Op.Grant, other(name, to), address, bytes, rights, ms) as Extract<Step, { ask: string }>),
  keep: number,
});
interface WindowWord {
  readonly window: number;
  readonly plus: number;
}
const w = (window: number, plus = 0): WindowWord => ({ window, plus });
const alive = (name: string): Step => ({ state: 'running', of: name });

/** Small numbers that are the same everywhere. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const KEPT = 6;
function randomSteps(seed: number, count: number): Step[] {
  const pick = random(seed);
  const steps: Step[] = [];
  for (let i = 0; i < count; i++) {
    const name = NAMES[pick(3)]!;
    const to = NAMES.filter((one) => one !== name)[pick(2)]!;
    const number = pick(KEPT);
    const offset = [0, 1, 7, 8, 15, 16, 255][pick(7)]!;
    const rights = [READ, WRITE, BOTH, 0, 7][pick(5)]!;
    const size = [1, 8, 16, 0, 9][pick(5)]!;
    const kind = pick(10);
    if (kind < 2) steps.push(open(number, name, to, DATA + 16 * pick(8), size, rights));
    else if (kind === 2) steps.push(open(number, name, to, w(pick(KEPT), offset), size, rights));
    else if (kind === 3) steps.push(tell(name, Op.Revoke, w(number)));
    else if (kind < 6) steps.push(tell(name, pick(2) === 0 ? Op.Load : Op.Load32, w(number, offset)));
    else if (kind === 6) steps.push(tell(name, Op.Store, w(number, offset), pick(256)));
    else if (kind === 7)
      steps.push(tell(name, Op.LoadAround, w(number, offset), other(name, to), Op.Revoke, w(pick(KEPT))));
    else if (kind === 8)
      steps.push(tell(name, Op.Forward, other(name, to), Op.GrantCaller, DATA + 8 * pick(8), size, rights, 0));
    else steps.push(tell(name, Op.PassOn, other(name, to), Op.Load, DATA + offset));
    steps.push(...NAMES.map(alive));
  }
  return steps;
}

export const GRANTS: readonly Case[] = [
  {
    name: 'grants: rights, bounds, ends',
    shows:
      'reading, writing, out of range, revoked, expired, somebody else’s, given with too many rights, to oneself, of nothing',
    modules: agents(),
    steps: [
      open(0, 'ada', 'bob', DATA, 16, READ),
      tell('bob', Op.Load, w(0, 3)),
      tell('bob', Op.Load, w(0, 15)),
      tell('bob', Op.Load, w(0, 16)),
      alive('bob'),
      open(0, 'ada', 'bob', DATA, 16, READ),
      tell('bob', Op.Store, w(0), 1),
      alive('bob'),
      open(1, 'ada', 'bob', DATA, 16, BOTH),
      tell('bob', Op.Store, w(1, 2), 99),
      tell('ada', Op.Load, DATA + 2),
      tell('eve', Op.Load, w(1)),
      alive('eve'),
      tell('bob', Op.Revoke, w(1)),
      tell('eve', Op.Revoke, w(1)),
      tell('ada', Op.Revoke, w(1)),
      tell('ada', Op.Revoke, w(1)),
      tell('bob', Op.Load, w(1)),
      alive('bob'),
      open(2, 'ada', 'bob', DATA, 8, WRITE),
      tell('bob', Op.Store, w(2), 7),
      tell('bob', Op.Load, w(2)),
      alive('bob'),
      open(3, 'ada', 'bob', DATA, 8, BOTH, 20),
      tell('bob', Op.Load, w(3)),
      { pass: 60 },
      tell('bob', Op.Load, w(3)),
      alive('bob'),
      open(4, 'ada', 'bob', DATA, 8, 0),
      open(4, 'ada', 'bob', DATA, 8, 4),
      open(4, 'ada', 'bob', DATA, 8, 7),
      open(4, 'ada', 'bob', 100000, 8, READ),
      alive('ada'),
      open(4, 'ada', 'bob', DATA, 0, READ),
      alive('ada'),
      tell('ada', Op.Grant, 17, DATA, 8, READ, 0),
    ],
  },
  {
    name: 'grants: handed on',
    shows:
      'with the same or fewer rights, in part; what is closed above is closed below; a window of a call, handed on',
    modules: agents(),
    steps: [
      open(0, 'ada', 'bob', DATA, 64, BOTH),
      open(1, 'bob', 'eve', w(0, 8), 16, READ),
      tell('eve', Op.Load, w(1, 1)),
      tell('bob', Op.Store, w(0, 9), 77),
      tell('eve', Op.Load, w(1, 1)),
      tell('eve', Op.Store, w(1, 1), 1),
      alive('eve'),
      open(1, 'bob', 'eve', w(0, 8), 16, BOTH),
      open(2, 'eve', 'ada', w(1, 4), 4, BOTH),
      tell('ada', Op.Store, w(2, 3), 55),
      tell('ada', Op.Load, DATA + 15),
      open(3, 'eve', 'ada', w(1, 4), 13, BOTH),
      alive('eve'),
      open(1, 'bob', 'eve', w(0, 8), 16, READ),
      open(3, 'eve', 'ada', w(1), 4, WRITE),
      alive('eve'),
      tell('ada', Op.Revoke, w(0)),
      tell('bob', Op.Load, w(0)),
      alive('bob'),
      tell('eve', Op.Load, w(1)),
      alive('eve'),
      tell('ada', Op.PassOn, other('ada', 'bob'), Op.Load, DATA),
      tell('ada', Op.LoadStale),
      alive('ada'),
    ],
  },
  {
    name: 'grants: closed while in use',
    shows: 'who has used a window that is closed ends as killed when it goes on; who has not goes on',
    modules: agents(),
    steps: [
      open(0, 'ada', 'bob', DATA, 16, READ),
      tell('bob', Op.LoadAround, w(0), other('bob', 'ada'), Op.Load, DATA),
      tell('bob', Op.LoadAround, w(0), other('bob', 'ada'), Op.Revoke, w(0)),
      alive('bob'),
      open(0, 'ada', 'bob', DATA, 16, READ),
      tell('bob', Op.Forward, other('bob', 'ada'), Op.Revoke, w(0)),
      tell('bob', Op.Load, w(0)),
      alive('bob'),
    ],
  },
  ...[11, 22, 33].map((seed): Case => ({
    name: `grants: at random ${seed}`,
    shows: 'a hundred operations by chance: open, use, hand on, close, also while in use and after their end',
    modules: agents(),
    steps: randomSteps(seed, 100),
  })),
];
