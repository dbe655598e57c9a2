// `thingspire top`: what every module does now, each second anew. Takes the fleet as an edge shows it; prints a table.
import type { Command } from '../commands/command.js';
import { ExitCode } from '../exit-codes.js';
import { print, printJson } from '../io.js';
import { EdgeClient, edgeOptions, type EdgeArgs } from './client.js';
import { readFleet, type FleetModule, type FleetView } from './fleet-view.js';
import { sleep, untilInterrupted } from './interrupt.js';
import { bytesText, microsecondsText, tableText } from './table.js';

interface Args extends EdgeArgs {
  readonly once: boolean;
  readonly json: boolean;
}

const PERIOD_MS = 1_000;
/** Cursor to the top left; what is below the cursor goes; what is right of it goes; cursor off and on. */
const TERMINAL = { home: '\x1b[H', clearBelow: '\x1b[J', clearRight: '\x1b[K', hide: '\x1b[?25l', show: '\x1b[?25h' };
const ALTERNATE_SCREEN = { on: '\x1b[?1049h', off: '\x1b[?1049l' };

interface Row {
  readonly thing: string;
  readonly module: string;
  readonly place: string;
  readonly state: string | null;
  /** Null: not known yet, or not told. */
  readonly callsPerSecond: number | null;
  readonly latency: { readonly median: number; readonly worst: number } | null;
  readonly memoryBytes: number | null;
  readonly memoryMaxBytes: number | null;
  readonly faults: number | null;
  readonly restarts: number | null;
}

export const topCommand: Command<Args> = {
  name: 'top',
  positionals: '',
  describe: 'calls, latencies, memory and faults of every module, each second',
  examples: [
    ['$0 top', 'until Ctrl-C'],
    ['$0 top --once --json', 'one look, for a script'],
  ],
  options: (yargs) =>
    edgeOptions(yargs)
      .option('once', { describe: 'measure for one second and end', type: 'boolean', default: false })
      .option('json', { describe: 'a line of JSON each second', type: 'boolean', default: false }) as never,
  run: async ({ once, json, ...at }) => {
    const edge = new EdgeClient(at);
    const live = !once && !json && process.stdout.isTTY === true;
    // The first look also finds out whether there is an edge, before the screen changes.
    let before = await look(edge);
    if (live) print(ALTERNATE_SCREEN.on + TERMINAL.hide);
    try {
      await untilInterrupted(async (signal) => {
        do {
          await sleep(PERIOD_MS, signal);
          if (signal.aborted) return;
          const now = await look(edge);
          const rows = compare(before, now);
          if (json) printJson({ time: Date.now(), modules: rows });
          else if (live) print(screen(now.fleet, rows));
          else print(text(rows));
          before = now;
        } while (!once);
      });
    } finally {
      if (live) print(TERMINAL.show + ALTERNATE_SCREEN.off);
    }
    return ExitCode.Ok;
  },
};

interface Look {
  readonly time: number;
  readonly fleet: FleetView;
}

async function look(edge: EdgeClient): Promise<Look> {
  const fleet = await readFleet(edge);
  return { time: performance.now(), fleet };
}

function compare(before: Look, now: Look): Row[] {
  const seconds = (now.time - before.time) / 1000;
  const keyOf = ({ thing, module, place, epoch }: FleetModule): string => `${thing}/${module}@${place}#${epoch}`;
  const known = new Map(before.fleet.modules.map((module) => [keyOf(module), module.stats]));
  const rows = now.fleet.modules.map((entry): Row => {
    const { thing, module, place, stats } = entry;
    const earlier = known.get(keyOf(entry));
    return {
      thing,
      module,
      place,
      state: stats?.state ?? null,
      callsPerSecond: stats && earlier ? Math.max(0, Math.round((stats.calls - earlier.calls) / seconds)) : null,
      latency: stats?.latency ?? null,
      memoryBytes: stats?.memoryBytes ?? null,
      memoryMaxBytes: stats?.memoryMaxBytes ?? null,
      faults: stats?.faults ?? null,
      restarts: stats?.restarts ?? null,
    };
  });
  return rows.sort((a, b) => (b.callsPerSecond ?? -1) - (a.callsPerSecond ?? -1));
}

function text(rows: readonly Row[]): string {
  const head = ['THING', 'MODULE', 'PLACE', 'STATE', 'CALLS/S', 'MEDIAN', 'WORST', 'MEMORY', 'FAULTS', 'RESTARTS'];
  const cells = rows.map((row) => [
    row.thing,
    row.module,
    row.place,
    row.state ?? '',
    String(row.callsPerSecond ?? ''),
    microsecondsText(row.latency?.median ?? null),
    microsecondsText(row.latency?.worst ?? null),
    bytesText(row.memoryBytes),
    String(row.faults ?? ''),
    String(row.restarts ?? ''),
  ]);
  return tableText(head, cells, [4, 5, 6, 7, 8, 9]);
}

/** The whole screen, without flicker; what does not fit is left out. */
function screen({ edge, places }: FleetView, rows: readonly Row[]): string {
  const { rows: height = 24, columns: width = 80 } = process.stdout;
  const head = `${edge}: ${places.length} places, ${rows.length} modules   (Ctrl-C ends)`;
  const lines = [head, '', ...text(rows).trimEnd().split('\n')].slice(0, height - 1);
  const fitted = lines.map((line) => line.slice(0, width) + TERMINAL.clearRight);
  return `${TERMINAL.home}${fitted.join('\n')}\n${TERMINAL.clearBelow}`;
}
