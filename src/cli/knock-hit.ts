import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import type { Protocol } from "../policy/port.ts";

/** Sends one hit. Resolves when it is on its way, so that hits leave in the order in which they are awaited; never rejects. */
export type SendHit = (protocol: Protocol, address: string, port: number) => Promise<void>;

/** One SYN, or one datagram of a single NUL byte, from a port of its own. What comes back, errors too, is of no interest. */
export const sendHit: SendHit = (protocol, address, port) =>
  protocol === "udp" ? hitUdp(address, port) : hitTcp(address, port);

/**
 * Node connects in the next tick, and the kernel sends the SYN within that call (connect(2), non-blocking). An immediate later the
 * socket is closed: nobody waits for an answer, so the SYN is never sent again.
 */
function hitTcp(address: string, port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, autoSelectFamily: false });
    socket.on("error", () => socket.destroy());
    socket.once("close", () => resolve());
    setImmediate(() => socket.destroy());
  });
}

function hitUdp(address: string, port: number): Promise<void> {
  if (port === 0) return Promise.resolve(); // the kernel refuses it (EINVAL), which knockd's client ignores
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
    socket.once("close", () => resolve());
    socket.on("error", () => socket.close());
    socket.send(Buffer.of(0), port, address, () => socket.close());
  });
}
