// Names that the shell completes: things, modules, services and places, from the edge that the environment names. Takes
// the words so far; gives nothing when the edge does not answer at once.
import { DEFAULT_URL, EdgeClient } from './client.js';
import { readFleet, type FleetView } from './fleet-view.js';

const METHODS = ['GET', 'PUT', 'POST', 'DELETE'];
const PATIENCE_MS = 1_000;

/**
 * @param words behind the name of the command line, the last one is being typed
 * @returns null: files, commands and options, as the shell and yargs know them
 */
export async function completeNames(words: readonly string[]): Promise<readonly string[] | null> {
  const [command, ...rest] = words;
  if (command === undefined || rest.length === 0) return null;
  const current = rest[rest.length - 1]!;
  const before = rest[rest.length - 2];
  if (current.startsWith('-')) return null;
  const choose = chooser(command, before, rest.slice(0, -1));
  if (choose === null) return null;
  if (typeof choose !== 'function')
    return choose.filter((name) => name.toLowerCase().startsWith(current.toLowerCase()));
  const fleet = await fleetSoon();
  return fleet === null ? [] : choose(fleet).filter((name) => name.startsWith(current));
}

type Choice = readonly string[] | ((fleet: FleetView) => string[]);

function chooser(command: string, before: string | undefined, given: readonly string[]): Choice | null {
  if (before === '--to') return ({ places }) => places.map(({ name }) => name);
  const positionals = given.filter((word, i) => !word.startsWith('-') && !(given[i - 1] ?? '').startsWith('--'));
  const modules = ({ modules: list }: FleetView): string[] => list.map(({ thing, module }) => `${thing}/${module}`);
  const things = ({ modules: list }: FleetView): string[] => [...new Set(list.map(({ thing }) => thing))];
  switch (command) {
    case 'migrate':
    case 'rm':
    case 'start':
    case 'stop':
    case 'restart':
      return positionals.length === 0 ? modules : null;
    case 'ls':
      return positionals.length === 0 ? things : null;
    case 'logs':
      if (positionals.length > 0) return null;
      return (fleet) => [...things(fleet), ...modules(fleet), ...fleet.places.map(({ name }) => name)];
    case 'call':
      if (positionals.length === 0) return METHODS;
      return positionals.length === 1 ? (fleet) => services(fleet, positionals[0]!) : null;
    default:
      return null;
  }
}

const services = ({ modules }: FleetView, method: string): string[] => [
  ...new Set(
    modules.flatMap(({ thing, services: list }) =>
      list.filter((service) => service.method === method.toUpperCase()).map(({ path }) => `${thing}/${path}`),
    ),
  ),
];

async function fleetSoon(): Promise<FleetView | null> {
  const { THINGSPIRE_URL: url = DEFAULT_URL, THINGSPIRE_TOKEN: token } = process.env;
  const { THINGSPIRE_CA: ca, THINGSPIRE_FINGERPRINT: fingerprint } = process.env;
  const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), PATIENCE_MS).unref());
  try {
    return await Promise.race([readFleet(new EdgeClient({ url, token, ca, fingerprint })), late]);
  } catch {
    return null;
  }
}
