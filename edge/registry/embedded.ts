// The registry of an edge that is alone: in memory, with a journal in the edge's data directory. Takes records, survives a
// crash at any moment. Knows no network.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Placement, PlaceRecord, Registry, RegistryChange, Stored } from '../fleet/types.js';
import { placementKey, RegistryTables } from './tables.js';

/** One line of the journal: a placement as of a revision, or its removal. */
interface Line {
  readonly key: string;
  readonly revision: number;
  readonly placement: Placement | null;
}

/** Lines beyond the live ones at which the journal is written anew. */
const SLACK_LINES = 1000;

export class EmbeddedRegistry implements Registry {
  private readonly tables = new RegistryTables();
  private revision = 0;
  private lines = 0;
  private file: number | null = null;

  /** @param path journal; null: nothing is kept */
  constructor(private readonly path: string | null) {
    if (path === null) return;
    mkdirSync(dirname(path), { recursive: true });
    if (existsSync(path)) this.replay(readFileSync(path, 'utf8'));
    this.compact();
  }

  placements(): IterableIterator<Placement> {
    return this.tables.placements();
  }
  places(): IterableIterator<PlaceRecord> {
    return this.tables.places();
  }
  placement(thing: string, module: string): Stored<Placement> | null {
    return this.tables.placement(thing, module);
  }
  watch(listener: (change: RegistryChange) => void): () => void {
    return this.tables.watch(listener);
  }

  async put(placement: Placement, expected: number): Promise<number | null> {
    const { thing, module } = placement;
    if ((this.placement(thing, module)?.revision ?? 0) !== expected) return null;
    this.write({ key: placementKey(thing, module), revision: this.revision + 1, placement });
    return this.revision;
  }

  async remove(thing: string, module: string, expected: number): Promise<boolean> {
    if ((this.placement(thing, module)?.revision ?? 0) !== expected) return false;
    this.write({ key: placementKey(thing, module), revision: this.revision + 1, placement: null });
    return true;
  }

  async announce(place: PlaceRecord): Promise<void> {
    this.tables.setPlace(place.name, place);
  }
  async withdraw(name: string): Promise<void> {
    this.tables.setPlace(name, null);
  }

  async close(): Promise<void> {
    if (this.file !== null) closeSync(this.file);
    this.file = null;
  }

  /** On disk first, then in force. */
  private write(line: Line): void {
    if (this.file !== null) {
      writeSync(this.file, `${JSON.stringify(line)}\n`);
      fsyncSync(this.file);
      this.lines++;
    }
    this.apply(line);
    if (this.lines > SLACK_LINES + 2 * [...this.tables.placements()].length) this.compact();
  }

  private apply({ key, revision, placement }: Line): void {
    this.revision = Math.max(this.revision, revision);
    this.tables.setPlacement(key, placement, revision);
  }

  /** A last line that a crash has cut is left out: its change was never in force. */
  private replay(text: string): void {
    const lines = text.split('\n');
    lines.pop();
    for (const line of lines) this.apply(JSON.parse(line) as Line);
  }

  /** Writes the live records to a new file that then takes the journal's place. */
  private compact(): void {
    if (this.path === null) return;
    if (this.file !== null) closeSync(this.file);
    const temporary = `${this.path}.new`;
    const file = openSync(temporary, 'w');
    this.lines = 0;
    for (const placement of this.tables.placements()) {
      const { revision } = this.placement(placement.thing, placement.module)!;
      const key = placementKey(placement.thing, placement.module);
      writeSync(file, `${JSON.stringify({ key, revision, placement })}\n`);
      this.lines++;
    }
    fsyncSync(file);
    closeSync(file);
    renameSync(temporary, this.path);
    this.file = openSync(this.path, 'a');
  }
}
