import { accessSync, existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { bootFileName } from "../nftables/boot-file.ts";
import { type BootUnit, type FolderFacts, writeAccess } from "./host.ts";
import { type AskProgram, readText } from "./inquiry.ts";
import type { PathFilter } from "./links.ts";

const unitFolders = [
  "/etc/systemd/system",
  "/run/systemd/system",
  "/usr/local/lib/systemd/system",
  "/usr/lib/systemd/system",
];

/** The state directory, or the nearest folder above it that is there. */
export function folderFacts(path: string): FolderFacts {
  let nearest = path;
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  return { path, isThere: nearest === path, writable: isWritable(nearest) };
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, writeAccess);
    return true;
  } catch {
    return false; // that is the answer
  }
}

/** Units that load the table kept in this state directory; one is enabled when some target wants it. */
export function bootUnits(stateDir: string, folders: readonly string[] = unitFolders): readonly BootUnit[] {
  const path = join(stateDir, bootFileName);
  const loads = (text = "") => text.split("\n").some((line) => line.startsWith("ExecStart=") && line.endsWith(path));
  const units = folders.flatMap((folder) =>
    namesIn(folder)
      .filter((name) => /^knockgate.*\.service$/.test(name))
      .filter((name) => loads(readText(join(folder, name)))),
  );
  const wants = folders.flatMap((folder) =>
    namesIn(folder)
      .filter((name) => /\.(wants|requires)$/.test(name))
      .flatMap((name) => namesIn(join(folder, name))),
  );
  return [...new Set(units)].map((name) => ({ name, enabled: wants.includes(name) }));
}

/** rp_filter of every link as it counts: the larger of its own and that of all, ip-sysctl. */
export function pathFilters(root = "/proc/sys/net/ipv4/conf"): readonly PathFilter[] {
  const of = (name: string) => Number(readText(join(root, name, "rp_filter")) ?? 0);
  const links = namesIn(root).filter((name) => name !== "all" && name !== "default");
  return links.map((name) => ({ name, value: Math.max(of("all"), of(name)) }));
}

/** Whether an agent holds the lock of this network namespace: its abstract socket is listed there, proc_net(5). */
export function isLocked(sockets = readText("/proc/net/unix") ?? ""): boolean {
  return /\s@knockgate-agent\.*(\s|$)/.test(sockets);
}

/** Addresses of the default routes' gateways, from `ip -j route`. */
export async function gatewayAddresses(ask: AskProgram): Promise<readonly string[]> {
  const listed = await Promise.all(["-4", "-6"].map((family) => ask("ip", [family, "-j", "route", "show", "default"])));
  return listed.flatMap(({ stdout }) =>
    [...stdout.matchAll(/"gateway":"([0-9a-f.:]+)"/g)].map(([, address = ""]) => address),
  );
}

/** What legacy iptables holds; asked only where the kernel has such tables, since asking makes them. */
export async function legacyRules(ask: AskProgram): Promise<string | undefined> {
  const names = [readText("/proc/net/ip_tables_names"), readText("/proc/net/ip6_tables_names")];
  const [four, six] = names.map((text) => (text ?? "") !== "");
  if (!(four || six)) return undefined;
  const saved = [
    ...(four ? [ask("iptables-legacy-save", [])] : []),
    ...(six ? [ask("ip6tables-legacy-save", [])] : []),
  ];
  return (await Promise.all(saved)).map(({ stdout }) => stdout).join("\n");
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // a folder that is not there holds nothing
  }
}
