// Runs inside a namespace for the benchmark: knocks, notes the time at which the last packet is handed to the kernel, and
// where it is told to, tries to connect until it is let in. Sockets are libc's, so that nothing lies between the clock and
// the packet. Takes one JSON question a line and answers each with one line. Plain JavaScript: it is started by node itself.
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import koffi from "koffi";

const stream = 1;
const datagram = 2;
const nonBlocking = 0o4000;
const writable = 4;
const broken = 8;
/** Between two attempts to connect: so exact is the time until the first that is accepted. */
const attemptNanos = 200_000;
const givenUpNanos = 2_000_000_000n;

const libc = koffi.load(null);
const socket = libc.func("int socket(int domain, int type, int protocol)");
const bind = libc.func("int bind(int fd, const void *address, unsigned int len)");
const connect = libc.func("int connect(int fd, const void *address, unsigned int len)");
const send = libc.func("long send(int fd, const void *buf, unsigned long len, int flags)");
const poll = libc.func("int ppoll(_Inout_ void *fds, unsigned long count, const void *wait, const void *mask)");
const close = libc.func("int close(int fd)");

function socketAddress(ip, port) {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(2, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ip.split(".").map(Number), 4);
  return bytes;
}

function open(kind, source) {
  const descriptor = socket(2, kind | nonBlocking, 0);
  const local = socketAddress(source, 0);
  if (descriptor < 0 || bind(descriptor, local, local.length) !== 0) throw new Error(`cannot bind ${source}`);
  return descriptor;
}

/** One packet; resolves to the time just before it was sent. */
function hit({ protocol, port, payload = "\0" }, source, target) {
  const descriptor = open(protocol === "udp" ? datagram : stream, source);
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
    const descriptor = open(stream, source);
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
