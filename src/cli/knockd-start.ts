import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { readFiles } from "../config-source/config-files.ts";
import { type KnockdConf, readKnockdConf } from "../policy/knockd-conf.ts";
import type { KnockdArguments } from "./knockd.ts";

/** How a stand-in for knockd is to run. */
export interface KnockdStart {
  /** The configuration as an absolute path. */
  readonly conf: string;
  readonly settings: KnockdConf["settings"];
  readonly doors: KnockdConf["doors"];
  readonly interface: string;
  readonly pidFile: string;
  readonly logFile: string | undefined;
}

/** What knockd would say instead of starting. */
export interface KnockdRefusal {
  readonly says: string;
  /** Whether the usage text follows. */
  readonly withUsage: boolean;
}

/** Reads the configuration and looks for the interface, as knockd does before it begins. */
export async function prepareKnockd(args: KnockdArguments): Promise<KnockdStart | KnockdRefusal> {
  const conf = resolve(args.config);
  const read = await readKnockd(conf, args.config);
  if ("says" in read) return read;
  const { settings, doors } = read;
  const link = args.interface ?? settings.interface ?? "eth0";
  const trouble = linkTrouble(link);
  if (trouble !== undefined) return { says: `could not open ${link}: ${link}: ${trouble}`, withUsage: false };
  return {
    conf,
    settings,
    doors,
    interface: link,
    pidFile: settings.pidFile ?? args.pidFile,
    logFile: settings.logFile ?? args.logFile,
  };
}

/** The configuration, or the first of its faults in knockd's words. */
export async function readKnockd(conf: string, shown = conf): Promise<KnockdConf | KnockdRefusal> {
  const { snapshot } = await readFiles([conf], "knockd-conf");
  const [document] = snapshot.documents;
  if (document === undefined) return { says: whyUnreadable(conf, shown), withUsage: true };
  const read = readKnockdConf(document.text, document.oneTimeFiles);
  const [fault] = read.faults;
  return fault === undefined ? read : { says: fault.knockdWords, withUsage: true };
}

function whyUnreadable(conf: string, shown: string): string {
  try {
    readFileSync(conf);
    return `${shown}: cannot be read as a configuration`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return `${shown}: ${code === "ENOENT" ? "No such file or directory" : code === "EACCES" ? "Permission denied" : code}`;
  }
}

/** IFF_UP of netdevice(7). */
const isUpBit = 1;

/** Why a link cannot be opened, in libpcap's words; undefined where it can. */
export function linkTrouble(link: string): string | undefined {
  if (link === "any") return undefined;
  try {
    const flags = Number(readFileSync(`/sys/class/net/${link}/flags`, "utf8"));
    return (flags & isUpBit) === 0 ? "That device is not up" : undefined;
  } catch {
    return "No such device exists (No such device exists)";
  }
}
