import { dropReasons } from "../decode/knock.ts";
import type { KnockBuffer } from "../decode/knock-buffer.ts";

/**
 * What the capture child writes to its pipe: records of 64 bytes, little endian.
 *
 *     knock    0 f64 atMicros   8 f64 stampMicros   16 4×u32 source   32 4×u32 target   48 u16 port   50 u16 sourcePort
 *              52 u32 sequenceNumber   56 u16 ipId   58 u8 protocol   59 u8 flags
 *     traffic  0 u32 link   8 f64 packets   16 f64 dropped by the kernel   24 f64 dropped by the interface
 *     losses   0 u32 × 9 discarded, in the order of `dropReasons`   36 u32 found no room in the queue
 *     alive    0 u32 the version of the check in force
 *     every    60 u8 kind   61 u8 0   62 u16 mark
 *
 * Counts are increments. The mark tells at once when reader and writer have lost step.
 */
export const recordBytes = 64;
export const recordKind = { knock: 1, traffic: 2, losses: 3, alive: 4 } as const;
export const recordMark = 0x4b47;

/** What one link's tap has counted since the last such record. */
export interface TrafficCounts {
  link: number;
  packets: number;
  kernelDrops: number;
  interfaceDrops: number;
}

/** Writes a record into a view at an offset. */
export function writeKnock(view: DataView, at: number, knock: KnockBuffer): void {
  view.setFloat64(at, knock.atMicros, true);
  view.setFloat64(at + 8, knock.stampMicros, true);
  for (let word = 0; word < 4; word++) {
    view.setUint32(at + 16 + word * 4, knock.source[word] ?? 0, true);
    view.setUint32(at + 32 + word * 4, knock.target[word] ?? 0, true);
  }
  view.setUint16(at + 48, knock.port, true);
  view.setUint16(at + 50, knock.sourcePort, true);
  view.setUint32(at + 52, knock.sequenceNumber, true);
  view.setUint16(at + 56, knock.ipId, true);
  view.setUint8(at + 58, knock.protocol);
  view.setUint8(at + 59, knock.flags);
  seal(view, at, recordKind.knock);
}

/** Writes what a tap has counted. */
export function writeTraffic(view: DataView, at: number, counts: Readonly<TrafficCounts>): void {
  view.setUint32(at, counts.link, true);
  view.setFloat64(at + 8, counts.packets, true);
  view.setFloat64(at + 16, counts.kernelDrops, true);
  view.setFloat64(at + 24, counts.interfaceDrops, true);
  seal(view, at, recordKind.traffic);
}

/** Writes what was discarded, in the order of `dropReasons`, and what found no room. */
export function writeLosses(view: DataView, at: number, discarded: Uint32Array, ringFull: number): void {
  for (let reason = 0; reason < dropReasons.length; reason++)
    view.setUint32(at + reason * 4, discarded[reason] ?? 0, true);
  view.setUint32(at + 36, ringFull, true);
  seal(view, at, recordKind.losses);
}

/** Writes that the child lives, and which check it applies. */
export function writeAlive(view: DataView, at: number, version: number): void {
  view.setUint32(at, version, true);
  seal(view, at, recordKind.alive);
}

function seal(view: DataView, at: number, kind: number): void {
  view.setUint8(at + 60, kind);
  view.setUint8(at + 61, 0);
  view.setUint16(at + 62, recordMark, true);
}
