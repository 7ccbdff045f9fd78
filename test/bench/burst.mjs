// Runs inside a namespace for the benchmark: knocks for many sources at once. Sends every source's first step, then every
// source's second and so on, and prints when it began to send the last steps, and when it had. Sockets are libc's and made
// beforehand, so that only sending lies between the two. Plain JavaScript: it is started by node itself.
import { kinds, libc, openSocket, socketAddress } from "./libc-sockets.mjs";

const sendTo = libc.func(
  "long sendto(int fd, const void *buf, unsigned long len, int flags, const void *address, unsigned int size)",
);

const { sources, target, ports } = JSON.parse(process.argv[2]);

const descriptors = sources.map((source) => openSocket(kinds.datagram, source, 0));
const nothing = Buffer.alloc(1);
let began = 0n;
for (const port of ports) {
  const remote = socketAddress(target, port);
  began = process.hrtime.bigint();
  for (const descriptor of descriptors) sendTo(descriptor, nothing, 1, 0, remote, 16);
}
console.log(JSON.stringify({ began: String(began), sent: String(process.hrtime.bigint()) }));
