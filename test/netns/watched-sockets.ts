import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * Whether a process has packet sockets and its event loop watches all of them, as the kernel tells (proc(5), the fdinfo of an
 * epoll descriptor). After libuv has given a descriptor up, the next packet takes it out of there: what comes then is
 * read only by who looks for it.
 */
export function hearsPackets(pid: number): boolean {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => ({ fd, link: readlinkSync(`/proc/${pid}/fd/${fd}`) }));
  const watched = links
    .filter(({ link }) => link === "anon_inode:[eventpoll]")
    .flatMap(({ fd }) => [...readFileSync(`/proc/${pid}/fdinfo/${fd}`, "latin1").matchAll(/^tfd:\s+(\d+)/gm)])
    .map(([, fd]) => fd);
  const [, ...packetSockets] = readFileSync(`/proc/${pid}/net/packet`, "latin1").trimEnd().split("\n");
  const inodes = new Set(packetSockets.map((line) => `socket:[${line.trim().split(/\s+/).at(-1)}]`));
  const taps = links.filter(({ link }) => inodes.has(link)).map(({ fd }) => fd);
  return taps.length > 0 && taps.every((fd) => watched.includes(fd));
}
