// Runs inside a namespace for the benchmark: sends a datagram to an echo server and waits for it to come back, so many
// times, or is that server. Sockets are libc's and block, so that nothing but the two kernels' paths lies between two
// readings of the clock. Prints the round trips in nanoseconds, sorted, as one JSON array a line. Plain JavaScript: it is
// started by node itself.
import { createInterface } from "node:readline";
import koffi from "koffi";

const datagram = 2;
const libc = koffi.load(null);
const socket = libc.func("int socket(int domain, int type, int protocol)");
const bind = libc.func("int bind(int fd, const void *address, unsigned int len)");
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

function socketAddress(ip, port) {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(2, 0);
  address.writeUInt16BE(port, 2);
  address.set(ip.split(".").map(Number), 4);
  return address;
}

function open(ip, port) {
  const descriptor = socket(2, datagram, 0);
  const local = socketAddress(ip, port);
  if (descriptor < 0 || bind(descriptor, local, local.length) !== 0) throw new Error(`cannot bind ${ip}`);
  return descriptor;
}

function serve(port) {
  const descriptor = open("0.0.0.0", port);
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
  const descriptor = open(source, 0);
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
