// Fleet events of an edge that is alone: from those who publish to those who watch, in this process. Knows no network.
import type { FleetEvent, FleetEvents } from './events.js';

export class LocalEvents implements FleetEvents {
  private readonly listeners = new Set<(event: FleetEvent) => void>();

  publish(event: FleetEvent): void {
    for (const listener of [...this.listeners]) listener(event);
  }

  watch(listener: (event: FleetEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
