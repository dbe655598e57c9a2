// Events of the fleet as lines for people. Takes events, gives text; knows no stream.
import { createColors } from 'picocolors';
import type { FaultEvent, LogEvent, MoveEvent } from '../../edge/fleet/events.js';

const colors = createColors(process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined);

/** One event, without the last line's end; a fault is several lines. */
export function eventLine(event: LogEvent | FaultEvent | MoveEvent): string {
  switch (event.type) {
    case 'log': {
      const who = event.module === null ? event.place : `${event.thing}/${event.module}`;
      return `${colors.dim(`${who}|`)} ${event.text}`;
    }
    case 'fault': {
      const { thing, module, place, reason, message, backtrace } = event;
      const what = reason === 'trapped' ? `trap: ${message}` : message;
      const frames = backtrace.map(({ func, name, offset, source }, i) => {
        const at = source === null ? '' : `  ${source}`;
        return `  #${i} func ${func} ${name} @0x${offset.toString(16)}${at}`;
      });
      return [`${colors.dim(`${thing}/${module}|`)} ${colors.red('fault')} at ${place}: ${what}`, ...frames].join('\n');
    }
    case 'move': {
      const { thing, module, from, to, step, reason, pauseMs, stateBytes } = event;
      const head = `${colors.dim(`${thing}/${module}|`)} ${from} -> ${to}: `;
      if (step === 'failed') return `${head}${colors.red('failed')}: ${reason}`;
      return step === 'done'
        ? `${head}done, paused ${pauseMs?.toFixed(1)} ms, ${stateBytes} bytes of state`
        : `${head}${step}`;
    }
  }
}
