// `thingspire edge`: its options. What it runs is loaded only when it is asked for: other commands start at once.
import type { Command } from '../commands/command.js';

export interface EdgeCommandArgs {
  readonly things: string | undefined;
  readonly name: string;
  readonly http: string;
  readonly coap: string;
  readonly listen: string;
  readonly data: string | undefined;
  readonly device: readonly string[];
  readonly firmware: readonly string[];
  readonly key: string | undefined;
  readonly nats: string | undefined;
  readonly natsCa: string | undefined;
  readonly natsCert: string | undefined;
  readonly natsKey: string | undefined;
  readonly natsCreds: string | undefined;
  readonly tls: boolean;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly insecure: boolean;
  readonly coapListen: string;
  readonly coapRole: 'viewer' | 'caller' | undefined;
  readonly json: boolean;
}

export const edgeCommand: Command<EdgeCommandArgs> = {
  name: 'edge',
  positionals: '[things]',
  describe: 'run an edge: modules, devices, gateways for HTTP and CoAP, the page',
  examples: [
    ['$0 edge things.json', 'its modules on this machine: http://127.0.0.1:8080, coap://127.0.0.1/.well-known/core'],
    ['$0 edge --device porch=tcp:127.0.0.1:3333', 'a device whose UART is on a TCP port, as the thing "porch"'],
    [
      '$0 edge --device porch@weather-station=serial:/dev/ttyUSB0 --firmware app.elf --key package-key.pem',
      'a board on a serial line whose modules belong to "weather-station", and to which modules can move',
    ],
    ['$0 edge --name attic --nats nats://10.0.0.1', 'one of several edges'],
  ],
  options: (yargs) =>
    yargs
      .positional('things', {
        describe: 'things.json: those of its modules that run nowhere yet start here',
        type: 'string',
      }) // prettier-ignore
      .option('name', { describe: 'name of the edge', type: 'string', default: 'edge', requiresArg: true })
      .option('http', { describe: 'port, or "off"', type: 'string', default: '8080', requiresArg: true })
      .option('coap', { describe: 'UDP port, or "off"', type: 'string', default: '5683', requiresArg: true })
      .option('listen', {
        describe: 'address that HTTP listens on',
        type: 'string',
        default: '127.0.0.1',
        requiresArg: true,
      })
      .option('data', { describe: 'directory for what must survive a restart', type: 'string', requiresArg: true })
      .option('device', {
        describe: 'NAME[@THING]=tcp:HOST:PORT or NAME[@THING]=serial:PATH[,BAUD] (repeatable)',
        type: 'string',
        array: true,
        nargs: 1,
        default: [],
      })
      .option('firmware', {
        describe: '[DEVICE=]FILE: .elf of the image that it runs, so that modules can move to it (repeatable)',
        type: 'string',
        array: true,
        nargs: 1,
        default: [],
      })
      .option('key', {
        describe: 'private key that the devices’ packages are signed with',
        type: 'string',
        requiresArg: true,
      }) // prettier-ignore
      .option('nats', {
        describe: 'nats://HOST or tls://HOST, with USER:PASSWORD@ or TOKEN@: the NATS server (or several, with commas)',
        type: 'string',
        requiresArg: true,
      })
      .option('nats-ca', { describe: 'certificate that NATS is known by', type: 'string', requiresArg: true })
      .option('nats-cert', { describe: 'certificate that is shown to NATS', type: 'string', requiresArg: true })
      .option('nats-key', { describe: 'and its key', type: 'string', requiresArg: true })
      .option('nats-creds', { describe: 'credentials file for NATS', type: 'string', requiresArg: true })
      .option('tls', { describe: 'HTTPS, with a certificate of its own', type: 'boolean', default: false })
      .option('tls-cert', { describe: 'HTTPS with this certificate', type: 'string', requiresArg: true })
      .option('tls-key', { describe: 'and its key', type: 'string', requiresArg: true })
      .option('insecure', { describe: 'what would be refused as unsafe', type: 'boolean', default: false })
      .option('coap-listen', {
        describe: 'address that CoAP listens on',
        type: 'string',
        default: '127.0.0.1',
        requiresArg: true,
      })
      .option('coap-role', {
        describe: 'what CoAP clients may do although people have tokens',
        choices: ['viewer', 'caller'] as const,
      })
      .option('json', { describe: 'events as lines of JSON', type: 'boolean', default: false }) as never,
  run: async (args) => (await import('./run-edge.js')).runEdge(args),
};
