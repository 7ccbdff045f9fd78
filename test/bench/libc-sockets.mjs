// IPv4 sockets of libc's own for the programs that the benchmark runs inside namespaces, so that nothing of Node's lies between
// the clock and the packet. Plain JavaScript: they are started by node itself.
import koffi from "koffi";

export const libc = koffi.load(null);
export const kinds = { stream: 1, datagram: 2 };

const family = 2;
const createSocket = libc.func("int socket(int domain, int type, int protocol)");
const bind = libc.func("int bind(int fd, const void *address, unsigned int len)");

/** struct sockaddr_in (ip(7)). */
export function socketAddress(ip, port) {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(family, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ip.split(".").map(Number), 4);
  return bytes;
}

/** A descriptor of this type, bound to an address and a port; 0 lets the kernel choose. */
export function openSocket(type, ip, port) {
  const descriptor = createSocket(family, type, 0);
  const local = socketAddress(ip, port);
  if (descriptor < 0 || bind(descriptor, local, local.length) !== 0) throw new Error(`cannot bind ${ip}`);
  return descriptor;
}
