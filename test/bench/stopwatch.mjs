// Runs inside a namespace for the benchmark: knocks, notes the time at which the last packet is handed to the kernel, and
// where it is told to, tries to connect until it is let in. Sockets are libc's, so that nothing lies between the clock and
// the packet. Takes one JSON question a line and answers each with one line. Plain JavaScript: it is started by node itself.
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { kinds, libc, openSocket, socketAddress } from "./libc-sockets.mjs";

const nonBlocking = 0o4000;
const writable = 4;
const broken = 8;
/** Between two attempts to connect: so exact is the time until the first that is accepted. */
const attemptNanos = 200_000;
const givenUpNanos = 2_000_000_000n;

const connect = libc.func("int connect(int fd, const void *address, unsigned int len)");
const send = libc.func("long send(int fd, const void *buf, unsigned long len, int flags)");
const poll = libc.func("int ppoll(_Inout_ void *fds, unsigned long count, const void *wait, const void *mask)");
const close = libc.func("int close(int fd)");

/** One packet; resolves to the time just before it was sent. */
function hit({ protocol, port, payload = "\0" }, source, target) {
  const descriptor = openSocket((protocol === "udp" ? kinds.datagram : kinds.stream) | nonBlocking, source, 0);
  const remote = socketAddress(target, port);
  let sentAt = process.hrtime.bigint();
  connect(descriptor, remote, remote.length);
  if (protocol === "udp") {
    const bytes = Buffer.from(payload, "latin1");
    sentAt = process.hrtime.bigint();
    send(descriptor, bytes, bytes.length, 0);
  }
  close(descriptor);
  return sentAt;
}

/** Tries to connect until it succeeds; the time at which it had, or undefined. */
function firstAccepted(port, source, target, began) {
  const remote = socketAddress(target, port);
  const wait = Buffer.alloc(16);
  wait.writeBigInt64LE(BigInt(attemptNanos), 8);
  const polled = Buffer.alloc(8);
  while (process.hrtime.bigint() - began < givenUpNanos) {
    const descriptor = openSocket(kinds.stream | nonBlocking, source, 0);
    connect(descriptor, remote, remote.length);
    polled.writeInt32LE(descriptor, 0);
    polled.writeUInt16LE(writable, 4);
    polled.writeUInt16LE(0, 6);
    poll(polled, 1, wait, null);
    const now = process.hrtime.bigint();
    const events = polled.readUInt16LE(6);
    close(descriptor);
    if ((events & writable) !== 0 && (events & broken) === 0) return now;
  }
  return undefined;
}

async function knock({ source, target, steps, gapMs, open: port }) {
  let sentAt = 0n;
  for (const [at, step] of steps.entries()) {
    if (at > 0) await pause(gapMs);
    sentAt = hit(step, source, target);
  }
  const openAt = port === undefined ? undefined : firstAccepted(port, source, target, sentAt);
  return { sentAt: String(sentAt), openAt: openAt === undefined ? undefined : String(openAt) };
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await knock(JSON.parse(line))));
}
