// Runs inside a namespace for the benchmark: sends a datagram to an echo server and waits for it to come back, so many
// times, or is that server. Sockets are libc's and block, so that nothing but the two kernels' paths lies between two
// readings of the clock. Prints the round trips in nanoseconds, sorted, as one JSON array a line. Plain JavaScript: it is
// started by node itself.
import { createInterface } from "node:readline";
import { kinds, libc, openSocket, socketAddress } from "./libc-sockets.mjs";

const connect = libc.func("int connect(int fd, const void *address, unsigned int len)");
const send = libc.func("long send(int fd, const void *buf, unsigned long len, int flags)");
const receive = libc.func("long recv(int fd, _Out_ void *buf, unsigned long len, int flags)");
const receiveFrom = libc.func(
  "long recvfrom(int fd, _Out_ void *buf, unsigned long len, int flags, _Out_ void *address, _Inout_ void *size)",
);
const sendTo = libc.func(
  "long sendto(int fd, const void *buf, unsigned long len, int flags, const void *address, unsigned int size)",
);

const bytes = Buffer.alloc(64);

function serve(port) {
  const descriptor = openSocket(kinds.datagram, "0.0.0.0", port);
  const peer = Buffer.alloc(16);
  const size = Buffer.alloc(4);
  console.log("serving");
  for (;;) {
    size.writeInt32LE(16, 0);
    const length = Number(receiveFrom(descriptor, bytes, bytes.length, 0, peer, size));
    if (length <= 0) process.exit(1);
    sendTo(descriptor, bytes, length, 0, peer, 16);
  }
}

function play({ source, target, port, rounds }) {
  const descriptor = openSocket(kinds.datagram, source, 0);
  const remote = socketAddress(target, port);
  connect(descriptor, remote, remote.length);
  const times = new Float64Array(rounds);
  for (let at = 0; at < rounds; at++) {
    const began = process.hrtime.bigint();
    send(descriptor, bytes, bytes.length, 0);
    if (Number(receive(descriptor, bytes, bytes.length, 0)) <= 0) throw new Error("no answer");
    times[at] = Number(process.hrtime.bigint() - began);
  }
  return [...times.sort()];
}

if (process.argv[2] === "serve") serve(Number(process.argv[3]));
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const times = play(JSON.parse(line));
  const at = (share) => times[Math.floor(times.length * share)];
  console.log(JSON.stringify({ medianNanos: at(0.5), p99Nanos: at(0.99) }));
}
