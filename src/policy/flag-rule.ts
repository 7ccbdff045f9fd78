import type { FlagRule } from "./policy.ts";

/** The flag bits of a TCP header (RFC 9293, 3.1), as `tcpFlag` of the decode stage has them. */
export const flagBits = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10, urg: 0x20 } as const;

/** One flag that a knock must carry, or with `!` must not. */
export const flagPattern = /^!?(fin|syn|rst|psh|ack|urg)$/;

/** What a knock must carry where nothing else is said: the first packet of a connection. */
export const defaultFlags: readonly string[] = ["syn", "!ack"];

/** Reads `[syn, "!ack"]`. A flag asked for both ways is in both masks; text that is no flag is left out. */
export function parseFlagRule(texts: readonly string[]): FlagRule {
  let must = 0;
  let mustNot = 0;
  for (const text of texts) {
    const bit = flagBits[text.replace("!", "") as keyof typeof flagBits] ?? 0;
    if (text.startsWith("!")) mustNot |= bit;
    else must |= bit;
  }
  return { must, mustNot };
}
