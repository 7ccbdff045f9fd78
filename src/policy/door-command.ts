import type { ActReading, FirewallAct } from "./firewall-act.ts";
import { readFirewalld } from "./firewalld-act.ts";
import { readIptables } from "./iptables-act.ts";
import { readNft } from "./nft-act.ts";
import { type ShellCommand, splitShell } from "./shell-command.ts";
import { readUfw } from "./ufw-act.ts";

/**
 * What one simple command of a door does. `needless`: it saves or reloads what another one changed, which Knockgate's table does not
 * need. `cut`: it ends the source's connections. `unknown` says why, and needs a shell to be run.
 */
export type DoorAct = { readonly text: string } & (
  | { readonly kind: "firewall"; readonly act: FirewallAct }
  | { readonly kind: "pause"; readonly seconds: number }
  | { readonly kind: "cut" | "needless" }
  | { readonly kind: "unknown"; readonly why: string }
);

/** Wrong letters of a page that made typography of a command: dashes for hyphens, curly quotes. */
const typography = /[\u2010-\u2015\u2018-\u201f]/;

/** Whether a command was copied from a page that put a dash or curly quotes where a shell wants `--` and straight ones. */
export function hasTypography(command: string): boolean {
  return typography.test(command);
}

/** The command as it was before a page made typography of it: `\u2013dport` is `--dport`, `\u2013s` is `-s`. */
function withoutTypography(command: string): string {
  return command
    .replaceAll(/[\u2010-\u2015]+(\w+)/g, (_, name: string) => (name.length === 1 ? `-${name}` : `--${name}`))
    .replaceAll(/[\u2018-\u201b]/g, "'")
    .replaceAll(/[\u201c-\u201f]/g, '"');
}

/** Reads a command of a knockd.conf: what each of its parts does, in order. Pure; never throws. */
export function readDoorCommand(line: string): readonly DoorAct[] {
  const command = withoutTypography(line);
  if (command.trim() === "") return [];
  const commands = splitShell(command);
  if (commands === undefined) return [unknown(command, "it takes a shell to say what it does")];
  const acts = commands.flatMap(readSimple);
  const alternatives = commands.some(
    ({ after }, at) => after === "||" && !isHarmless(acts[at - 1]) && !isHarmless(acts[at]),
  );
  return alternatives ? [unknown(command, "what it does depends on whether a part of it fails")] : acts;
}

function isHarmless(act: DoorAct | undefined): boolean {
  return act?.kind === "needless";
}

function readSimple(command: ShellCommand): readonly DoorAct[] {
  const { text } = command;
  const [program = "", ...words] = withoutSudo(command.words);
  const name = program.split("/").at(-1) ?? "";
  if (/^(ba|da)?sh$/.test(name) && words[0] === "-c" && words.length === 2) return readDoorCommand(words[1] ?? "");
  if (name === "sleep" && /^\d+(\.\d+)?s?$/.test(words[0] ?? ""))
    return [{ kind: "pause", seconds: Number.parseFloat(words[0] ?? ""), text }];
  if (name === "conntrack" && words.includes("-D") && words.includes("%IP%")) return [{ kind: "cut", text }];
  if (isNeedless(name, words)) return [{ kind: "needless", text }];
  const read = readerOf(name)?.(words);
  if (read === undefined) return [unknown(text, `${name} is no firewall's program`)];
  return ["act" in read ? { kind: "firewall", act: read.act, text } : unknown(text, read.unknown)];
}

function withoutSudo(words: readonly string[]): readonly string[] {
  if (!/(^|\/)sudo$/.test(words[0] ?? "")) return words;
  return words.slice(words[1] === "-n" ? 2 : 1);
}

const readers = new Map([
  ["nft", readNft],
  ["ufw", readUfw],
  ["firewall-cmd", readFirewalld],
]);

function readerOf(name: string): ((words: readonly string[]) => ActReading) | undefined {
  if (/^ip6?tables(-nft|-legacy)?$/.test(name)) return readIptables;
  return readers.get(name);
}

function isNeedless(name: string, words: readonly string[]): boolean {
  if (["true", ":", "iptables-save", "ip6tables-save", "netfilter-persistent"].includes(name)) return true;
  if (/^ip6?tables$/.test(name)) return words.includes("-C") || words.includes("--check");
  if (name === "service") return /^ip6?tables$/.test(words[0] ?? "") && words[1] === "save";
  if (name === "ufw") return words.includes("reload");
  return name === "firewall-cmd" && words.some((word) => ["--reload", "--runtime-to-permanent"].includes(word));
}

function unknown(text: string, why: string): DoorAct {
  return { kind: "unknown", text, why };
}
