// How the command line trusts an edge on HTTPS whose certificate nobody else vouches for: by a file, or by its fingerprint.
// Takes options; gives a fetch. Knows no route.
import type { TLSSocket } from 'node:tls';
import type { Argv } from 'yargs';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { fingerprintOf } from '../../edge/security/fingerprint.js';
import { readInput } from '../io.js';

export interface TrustArgs {
  /** PEM file: certificates that are believed besides the usual ones. */
  readonly ca: string | undefined;
  /** SHA-256 of the edge's certificate, as the edge prints it. */
  readonly fingerprint: string | undefined;
}

export const trustOptions = <T>(yargs: Argv<T>) =>
  yargs
    .option('ca', {
      describe: 'PEM file of a certificate to believe',
      type: 'string',
      default: process.env['THINGSPIRE_CA'],
      defaultDescription: 'THINGSPIRE_CA',
      requiresArg: true,
    })
    .option('fingerprint', {
      describe: 'SHA-256 of the certificate, as the edge printed it',
      type: 'string',
      default: process.env['THINGSPIRE_FINGERPRINT'],
      defaultDescription: 'THINGSPIRE_FINGERPRINT',
      requiresArg: true,
    });

type Fetch = typeof globalThis.fetch;

/**
 * A fetch that believes what `args` say. Nothing is sent before the certificate has been checked.
 * @throws DiagnosticError W605 for what is no fingerprint, W601
 */
export async function trustingFetch({ ca, fingerprint }: TrustArgs): Promise<Fetch> {
  if (ca === undefined && fingerprint === undefined) return globalThis.fetch;
  const wanted = fingerprint
    ?.replace(/^sha-?256[: ]/i, '')
    .replace(/[:\s]/g, '')
    .toUpperCase();
  if (wanted !== undefined && !/^[0-9A-F]{64}$/.test(wanted))
    throw new DiagnosticError('W605', `--fingerprint: "${fingerprint}" is not the SHA-256 of a certificate`);
  const { Agent, buildConnector, fetch } = await import('undici');
  const trusted = ca === undefined ? {} : { ca: Buffer.from(readInput(ca)) };
  // With a fingerprint it alone decides: a self-signed certificate has no other proof, and needs no name.
  // A resumed session has no certificate to look at.
  const connect = buildConnector({ ...trusted, rejectUnauthorized: wanted === undefined, maxCachedSessions: 0 });
  const agent = new Agent({
    connect: (options, done) =>
      connect(options, (error, socket) => {
        if (error !== null) return done(error, null);
        const certificate = (socket as TLSSocket).getPeerCertificate?.();
        if (wanted === undefined) return done(null, socket);
        const seen = certificate?.raw === undefined ? null : fingerprintOf(certificate.raw);
        if (seen?.replaceAll(':', '') === wanted) return done(null, socket);
        socket.destroy();
        const what = seen === null ? 'it is not HTTPS' : `it has ${seen}`;
        return done(new Error(`not the edge with that fingerprint: ${what}`), null);
      }),
  });
  return ((url: URL, init: object) => fetch(url, { ...init, dispatcher: agent })) as unknown as Fetch;
}
