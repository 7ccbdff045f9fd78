import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { disassemble, parseFilter } from "./filter-program.ts";
import { knownProgram } from "./known-program.ts";
import { type SocketHolder, socketHolders } from "./socket-holders.ts";
import { parseFilterListing, parseSocketTable, type SniffingSocket, socketKinds } from "./socket-table.ts";

/** One socket with its process; without one it belongs to the kernel, to another pid namespace, or to whom we may not see. */
export interface Sniffer {
  readonly socket: SniffingSocket;
  readonly holder: SocketHolder | undefined;
  /** Why it is known to be good; undefined: look at it. */
  readonly known: string | undefined;
  /** The filter's program, an instruction a line; undefined where it has none, or none that the kernel shows. */
  readonly filter: readonly string[] | undefined;
}

const listTimeoutMs = 10_000;

/** Every socket of this network namespace that sees packets past its own ports, known ones last. */
export async function listSniffers(): Promise<readonly Sniffer[]> {
  const tables = await Promise.all(
    socketKinds.map(async (kind) =>
      parseSocketTable(kind, await readFile(`/proc/net/${kind}`, "utf8").catch(() => "")),
    ),
  );
  const sockets = tables.flat();
  const holders = await socketHolders(new Set(sockets.map(({ inode }) => inode)));
  const filters = parseFilterListing(await listFilters());
  return sockets
    .flatMap((socket) => {
      const own = holders.filter(({ inodes }) => inodes.includes(socket.inode));
      return (own.length === 0 ? [undefined] : own).map((holder) => sniffer(socket, holder, filters.get(socket.inode)));
    })
    .sort((one, other) => Number(one.known !== undefined) - Number(other.known !== undefined));
}

function sniffer(socket: SniffingSocket, holder: SocketHolder | undefined, filter: string | undefined): Sniffer {
  const program = filter === undefined ? undefined : parseFilter(filter);
  return {
    socket,
    holder,
    known: holder === undefined ? undefined : knownProgram(holder.executable, holder.command),
    filter: program === undefined ? undefined : disassemble(program),
  };
}

/** ss(8) asks the kernel by sock_diag(7). Without it the list is there, and lacks the filters. */
function listFilters(): Promise<string> {
  const options = { timeout: listTimeoutMs, maxBuffer: 64 << 20, env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } };
  return new Promise((resolve) => {
    execFile("ss", ["-0", "-b", "-e", "-n", "-H", "-O"], options, (error, output) =>
      resolve(error === null ? output : ""),
    );
  });
}
