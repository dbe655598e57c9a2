// Text that comes in pieces, as whole lines for each sender. Takes bytes; knows no sender.

/** A sender that never ends its line is shown all the same. */
const MAX_LINE = 4096;

export class LineSplitter {
  private readonly rest = new Map<string, Buffer>();

  constructor(private readonly line: (sender: string, text: string) => void) {}

  push(sender: string, bytes: Uint8Array): void {
    let buffer = Buffer.concat([this.rest.get(sender) ?? Buffer.alloc(0), bytes]);
    for (;;) {
      const newline = buffer.indexOf(0x0a);
      const end = newline >= 0 ? newline : buffer.length > MAX_LINE ? MAX_LINE : -1;
      if (end < 0) break;
      this.line(sender, buffer.subarray(0, end).toString('utf8').replace(/\r$/, ''));
      buffer = buffer.subarray(newline >= 0 ? end + 1 : end);
    }
    if (buffer.length === 0) this.rest.delete(sender);
    else this.rest.set(sender, buffer);
  }
}
