import type { PortRange } from "./port.ts";

/** What one command does to a firewall. */
export interface FirewallAct {
  readonly tool: "iptables" | "nft" | "ufw" | "firewall-cmd";
  readonly change: "add" | "remove";
  readonly verdict: "accept" | "deny";
  /** Whom the rule is for: the source of the knock, or whoever comes. */
  readonly from: "source" | "anybody";
  /** Empty: all ports, or those of a set that the command does not show. */
  readonly ports: readonly PortRange[];
  /** When the tool itself undoes it; undefined: never. */
  readonly lastsSeconds: number | undefined;
  /** What of the command Knockgate does not do, a sentence each. */
  readonly remarks: readonly string[];
}

/** An act, or why it is not known what the command does. */
export type ActReading = { readonly act: FirewallAct } | { readonly unknown: string };

/** Whether an address in a command is the source of the knock; undefined: it is another one. */
export function isSource(text: string): boolean {
  return /^%IP%(\/(32|128))?$/.test(text);
}

/** Options of a command as they are read one after another. */
export class WordReader {
  private readonly words: readonly string[];
  private at = 0;

  constructor(words: readonly string[]) {
    this.words = words;
  }

  /** The next word; undefined at the end. */
  next(): string | undefined {
    return this.words[this.at++];
  }

  /** The next word, taken only when it is one of these or matches. */
  take(pattern: RegExp): string | undefined {
    const word = this.words[this.at];
    return word !== undefined && pattern.test(word) ? this.words[this.at++] : undefined;
  }
}
