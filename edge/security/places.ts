// Where an edge keeps its keys and tokens. Gives paths.
import { join } from 'node:path';

/** Folder of keys and tokens in a data directory. */
export const securityFolder = (dataDirectory: string): string => join(dataDirectory, 'security');
export const tokenFile = (dataDirectory: string): string => join(securityFolder(dataDirectory), 'tokens.json');
