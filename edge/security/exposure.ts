// What an edge may offer to whom: addresses that only this machine reaches are for development, all others ask for tokens
// and TLS. Takes addresses and what is there; refuses, or gives nothing. Knows no files.
import { DiagnosticError } from '../../compiler/diagnostics.js';

/** Whether only this machine can reach an address. */
export const isLoopback = (address: string): boolean =>
  /^127\.\d+\.\d+\.\d+$/.test(address) || ['::1', '[::1]', 'localhost'].includes(address.toLowerCase());

export interface Exposure {
  readonly address: string;
  /** Whether anybody has a token. */
  readonly tokens: boolean;
  readonly tls: boolean;
  /** `--insecure`: the user has said that this is meant. */
  readonly insecure: boolean;
}

/** @throws DiagnosticError W910 if HTTP at that address is for everybody on the network */
export function checkHttp({ address, tokens, tls, insecure }: Exposure): void {
  if (insecure || isLoopback(address)) return;
  if (!tokens)
    throw new DiagnosticError(
      'W910',
      `${address} is open to the network and nobody has a token: make one with ` +
        '"thingspire token add NAME --role admin --data DIRECTORY", or --insecure lets everybody in',
    );
  if (!tls)
    throw new DiagnosticError(
      'W910',
      `tokens would cross the network readable to all: --tls, or --insecure if something in front does that`,
    );
}

/** @throws DiagnosticError W910: CoAP has no protection of its own here */
export function checkCoap(address: string, insecure: boolean): void {
  if (insecure || isLoopback(address)) return;
  throw new DiagnosticError('W910', `CoAP on ${address} lets everybody on the network in: --insecure if that is meant`);
}

/**
 * @param url of the servers, several with commas
 * @param enrolled whether messages between edges are signed
 * @throws DiagnosticError W910 if everybody at that server could speak as an edge
 */
export function checkNats(url: string, enrolled: boolean, insecure: boolean): void {
  if (enrolled || insecure) return;
  const names = url.split(',').map((one) => new URL(/:\/\//.test(one) ? one : `nats://${one}`).hostname);
  const hostname = names.find((name) => !isLoopback(name));
  if (hostname === undefined) return;
  throw new DiagnosticError(
    'W910',
    `${hostname} carries messages that nobody signs: enrol this edge ("thingspire enrol"), or --insecure`,
  );
}
