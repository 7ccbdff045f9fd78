import koffi from "koffi";

/** Asks the kernel which generation of the ruleset is in force. */
export interface Generation {
  /** Undefined where the kernel does not answer. */
  read(): number | undefined;
  close(): void;
}

/** linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h, sys/socket.h. */
const netlinkFamily = 16;
const rawCloseOnExec = 3 | 0o2000000;
const netfilterProtocol = 12;
const getGenerationType = (10 << 8) | 16;
const newGenerationType = (10 << 8) | 15;
const requestFlag = 1;
const dontWait = 0x40;
const generationAttribute = 1;
const headerBytes = 20;

/**
 * A netlink socket that asks NFT_MSG_GETGEN: 10 µs, where listing a full table takes 100 ms. libc is asked for by the
 * process's own symbols, so any libc does. Undefined where koffi or the socket is not to be had; the caller then
 * compares listings instead.
 */
export function openGeneration(): Generation | undefined {
  try {
    return openSocket();
  } catch {
    return undefined; // koffi's native part is missing: the same as a kernel that does not answer
  }
}

function openSocket(): Generation | undefined {
  const libc = koffi.load(null);
  const send = libc.func("long send(int fd, const void *buf, unsigned long len, int flags)");
  const receive = libc.func("long recv(int fd, _Out_ void *buf, unsigned long len, int flags)");
  const close = libc.func("int close(int fd)");
  let socket: number = libc.func("int socket(int domain, int type, int protocol)")(
    netlinkFamily,
    rawCloseOnExec,
    netfilterProtocol,
  );
  if (socket < 0) return undefined;
  const answer = Buffer.alloc(1024);
  return {
    read: () => {
      if (socket < 0) return undefined;
      const request = requestMessage();
      if (send(socket, request, request.length, 0) !== request.length) return undefined;
      const length: number = receive(socket, answer, answer.length, dontWait); // the kernel answers within send
      return parseGeneration(answer.subarray(0, Math.max(0, Number(length))));
    },
    close: () => {
      if (socket >= 0) close(socket);
      socket = -1;
    },
  };
}

/** nlmsghdr (length, type, flags, sequence, port) and nfgenmsg (family, version, resource), in host order: little endian on all we run on. */
function requestMessage(): Buffer {
  const message = Buffer.alloc(headerBytes);
  message.writeUInt32LE(headerBytes, 0);
  message.writeUInt16LE(getGenerationType, 4);
  message.writeUInt16LE(requestFlag, 6);
  return message;
}

/** Finds NFTA_GEN_ID, a big-endian number, among the attributes of a NFT_MSG_NEWGEN. */
export function parseGeneration(message: Buffer): number | undefined {
  if (message.length < headerBytes || message.readUInt16LE(4) !== newGenerationType) return undefined;
  let at = headerBytes;
  while (at + 8 <= message.length) {
    const length = message.readUInt16LE(at);
    if (length < 4) return undefined;
    if ((message.readUInt16LE(at + 2) & 0x3fff) === generationAttribute) return message.readUInt32BE(at + 4);
    at += (length + 3) & ~3;
  }
  return undefined;
}
