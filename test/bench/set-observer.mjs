// Runs inside a namespace for the benchmark: says when the kernel has taken a set's element or a rule of nftables. It joins the
// multicast group to which the kernel tells every change right after it has committed it (the source of `nft monitor`), and
// sleeps in recv, so the only delay is waking up: some ten microseconds. Plain JavaScript: it is started by node itself.
// One line each: the monotonic clock in nanoseconds, which is one for all processes, and the message in hexadecimal.
import { writeSync } from "node:fs";
import koffi from "koffi";

const netlinkFamily = 16;
const rawSocket = 3;
const netfilterProtocol = 12;
/** NFNLGRP_NFTABLES as a bit. */
const nftablesGroup = 1 << 6;
const newRuleType = (10 << 8) | 6;
const newElementType = (10 << 8) | 12;

const libc = koffi.load(null);
const receive = libc.func("long recv(int fd, _Out_ void *buf, unsigned long len, int flags)");
const socket = libc.func("int socket(int domain, int type, int protocol)")(netlinkFamily, rawSocket, netfilterProtocol);
const address = Buffer.alloc(12);
address.writeUInt16LE(netlinkFamily, 0);
address.writeUInt32LE(nftablesGroup, 8);
// Binding also gives the socket a port: the kernel tells nothing to one without.
const bind = libc.func("int bind(int fd, const void *address, unsigned int len)");
if (bind(socket, address, address.length) !== 0) throw new Error("cannot join the nftables group");

// A thousand elements at once are more than a socket holds by default; what does not fit would be lost (netlink(7), ENOBUFS).
const setOption = libc.func("int setsockopt(int fd, int level, int name, const void *value, unsigned int len)");
const receiveBufferForce = 33;
const bytes = Buffer.alloc(4);
bytes.writeInt32LE(64 << 20, 0);
if (setOption(socket, 1, receiveBufferForce, bytes, 4) !== 0) throw new Error("cannot enlarge the receive buffer");

writeSync(1, "observing\n");
const messages = Buffer.alloc(65_536);
for (;;) {
  const length = Number(receive(socket, messages, messages.length, 0));
  const now = process.hrtime.bigint();
  if (length <= 0) process.exit(1);
  for (let at = 0; at + 16 <= length; ) {
    const size = messages.readUInt32LE(at);
    const type = messages.readUInt16LE(at + 4);
    if (type === newElementType || type === newRuleType)
      writeSync(1, `${now} ${messages.toString("hex", at, at + size)}\n`);
    at += Math.max(16, (size + 3) & ~3);
  }
}
