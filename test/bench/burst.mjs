// Runs inside a namespace for the benchmark: knocks for many sources at once. Sends every source's first step, then every
// source's second and so on, and prints when it began to send the last steps, and when it had. Sockets are libc's and made
// beforehand, so that only sending lies between the two. Plain JavaScript: it is started by node itself.
import koffi from "koffi";

const datagram = 2;
const libc = koffi.load(null);
const socket = libc.func("int socket(int domain, int type, int protocol)");
const bind = libc.func("int bind(int fd, const void *address, unsigned int len)");
const sendTo = libc.func(
  "long sendto(int fd, const void *buf, unsigned long len, int flags, const void *address, unsigned int size)",
);

const { sources, target, ports } = JSON.parse(process.argv[2]);

function socketAddress(ip, port) {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(2, 0);
  address.writeUInt16BE(port, 2);
  address.set(ip.split(".").map(Number), 4);
  return address;
}

const descriptors = sources.map((source) => {
  const descriptor = socket(2, datagram, 0);
  const local = socketAddress(source, 0);
  if (descriptor < 0 || bind(descriptor, local, local.length) !== 0) throw new Error(`cannot bind ${source}`);
  return descriptor;
});
const nothing = Buffer.alloc(1);
let began = 0n;
for (const port of ports) {
  const remote = socketAddress(target, port);
  began = process.hrtime.bigint();
  for (const descriptor of descriptors) sendTo(descriptor, nothing, 1, 0, remote, 16);
}
console.log(JSON.stringify({ began: String(began), sent: String(process.hrtime.bigint()) }));
