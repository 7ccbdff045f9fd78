import koffi from "koffi";

/** Which process listens on a unix socket. */
export interface SocketOwner {
  /** As this process's user namespace counts it. */
  readonly uid: number;
  /** 0 where the process lies in another pid namespace, as in another container. */
  readonly pid: number;
}

/** sys/socket.h, sys/un.h; the numbers are the same on all architectures that Node runs on with Linux. */
const unixFamily = 1;
const streamCloseOnExecNonBlocking = 1 | 0o2000000 | 0o4000;
const socketLevel = 1;
const peerCredentials = 17;

/**
 * Asks the kernel who listens on a unix socket (SO_PEERCRED, unix(7)): nobody can lie about it, and the other side need not
 * be awake. Undefined where nobody listens, its queue is full, or koffi is not to be had.
 */
export function socketOwner(path: string): SocketOwner | undefined {
  try {
    return askKernel(path);
  } catch {
    return undefined; // koffi's native part is missing: as if the kernel did not tell
  }
}

function askKernel(path: string): SocketOwner | undefined {
  const libc = koffi.load(null);
  const connect = libc.func("int connect(int fd, const void *address, unsigned int length)");
  const getOption = libc.func(
    "int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ uint32_t *length)",
  );
  const close = libc.func("int close(int fd)");
  const name = Buffer.from(path, "latin1");
  const address = Buffer.alloc(2 + name.length);
  address.writeUInt16LE(unixFamily, 0);
  name.copy(address, 2);
  const socket: number = libc.func("int socket(int domain, int type, int protocol)")(
    unixFamily,
    streamCloseOnExecNonBlocking,
    0,
  );
  if (socket < 0) return undefined;
  try {
    if (connect(socket, address, address.length) !== 0) return undefined;
    const credentials = Buffer.alloc(12); // struct ucred: pid, uid, gid
    if (getOption(socket, socketLevel, peerCredentials, credentials, [credentials.length]) !== 0) return undefined;
    return { pid: credentials.readInt32LE(0), uid: credentials.readUInt32LE(4) };
  } finally {
    close(socket);
  }
}
