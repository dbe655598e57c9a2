// `thingspire logs`: what modules and devices print, and their faults. Takes an edge's events, prints lines.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { FaultEvent, LogEvent } from '../../edge/fleet/events.js';
import type { Command } from '../commands/command.js';
import { ExitCode } from '../exit-codes.js';
import { print, printJson } from '../io.js';
import { EdgeClient, edgeOptions, type EdgeArgs } from './client.js';
import { eventLine } from './event-line.js';
import { untilInterrupted } from './interrupt.js';

interface Args extends EdgeArgs {
  readonly of: string | undefined;
  readonly follow: boolean;
  readonly since: string | undefined;
  readonly json: boolean;
}

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export const logsCommand: Command<Args> = {
  name: 'logs',
  positionals: '[of]',
  describe: 'what modules and devices have printed, and faults with source lines',
  examples: [
    ['$0 logs --follow', 'everything, until Ctrl-C'],
    ['$0 logs weather-station/filter --since 10m', 'one module in the last ten minutes'],
    ['$0 logs device:porch', 'the console of a device'],
  ],
  options: (yargs) =>
    edgeOptions(yargs)
      .positional('of', { describe: 'THING, THING/MODULE, or a place', type: 'string' })
      .option('follow', { alias: 'f', describe: 'go on until Ctrl-C', type: 'boolean', default: false })
      .option('since', {
        describe: '30s, 10m, 2h, 1d, or a time as 2026-11-22T13:00 (the edge keeps the last 1,000 events)',
        type: 'string',
        requiresArg: true,
      })
      .option('json', { describe: 'events as lines of JSON', type: 'boolean', default: false }) as never,
  run: async ({ of, follow, since, json, ...at }) => {
    const from = since === undefined ? 0 : timeOf(since);
    const edge = new EdgeClient(at);
    const path = `/api/events?types=log,fault&since=0${follow ? '' : '&follow=0'}`;
    await untilInterrupted(async (signal) => {
      for await (const { data } of edge.events(path, signal)) {
        const event = data as LogEvent | FaultEvent;
        if (event.time < from || !concerns(event, of)) continue;
        if (json) printJson(event);
        else print(`${eventLine(event)}\n`);
      }
      if (follow && !signal.aborted) throw new DiagnosticError('W902', 'the edge has ended the stream');
    });
    return ExitCode.Ok;
  },
};

function concerns({ thing, module, place }: LogEvent | FaultEvent, of: string | undefined): boolean {
  if (of === undefined) return true;
  if (of.includes(':')) return place === of;
  return of.includes('/') ? `${thing}/${module}` === of : thing === of;
}

/** Milliseconds since 1970. */
function timeOf(text: string): number {
  const [, number, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (number !== undefined) return Date.now() - Number(number) * UNITS[unit as keyof typeof UNITS];
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new DiagnosticError('W605', `--since: "${text}" is neither 10m nor a time`);
  return time;
}
