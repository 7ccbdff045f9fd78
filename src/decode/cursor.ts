import type { DropReason } from "./knock.ts";

/** Where a decoder stands in a frame. One object is used for all frames. */
export class Cursor {
  bytes: Uint8Array = new Uint8Array(0);
  /** The next byte to be read. */
  at = 0;
  /** Where the captured bytes end. */
  end = 0;
  /** Where the packet ends by its own length field; may lie beyond `end` when the capture was cut short. */
  limit = 0;
  /** Whether the link is a loopback one, where 127.0.0.1 and ::1 are honest sources. */
  loopback = false;
  /** Whether the packet is the first of several fragments. */
  fragmented = false;
  /** Whether a cooked header says that this host sent the packet itself. */
  outgoing = false;

  /** Puts the cursor at the beginning of a frame. */
  begin(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.at = 0;
    this.end = bytes.length;
    this.limit = Number.MAX_SAFE_INTEGER;
    this.loopback = false;
    this.fragmented = false;
    this.outgoing = false;
  }

  /**
   * Why `count` more bytes cannot be read: `malformed` when the packet itself says that it is shorter, `truncated` when
   * only the capture is. Everything that reads asks this first.
   */
  missing(count: number): DropReason | undefined {
    if (this.at + count > this.limit) return "malformed";
    return this.at + count > this.end ? "truncated" : undefined;
  }

  /** The byte at this distance from the cursor; 0 outside the frame, which `missing` rules out. */
  byte(distance: number): number {
    return this.bytes[this.at + distance] ?? 0;
  }

  /** Two bytes in network order. */
  half(distance: number): number {
    return (this.byte(distance) << 8) | this.byte(distance + 1);
  }

  /** Four bytes in network order, unsigned. */
  word(distance: number): number {
    return ((this.half(distance) << 16) | this.half(distance + 2)) >>> 0;
  }
}
