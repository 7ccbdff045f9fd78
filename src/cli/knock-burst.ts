import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { connect, isIPv6, type Socket } from "node:net";
import type { Hit } from "./knock-plan.ts";

/** Sends all hits of a knock back to back. Resolves when they are on their way; never rejects. */
export type SendBurst = (address: string, hits: readonly Hit[]) => Promise<void>;

/**
 * The packets of `sendHit` in the same order, with as little as possible between two: some 30 µs instead of some 300. All that takes
 * time is done before the first leaves, and sockets are closed after the last. So close to each other, packets may change places
 * in a network card with several queues, which is why a knock is not sent like this in the first place.
 */
export const sendBurst: SendBurst = async (address, hits) => {
  const prepared = await Promise.all(
    hits.map((hit) => (hit.protocol === "udp" ? datagramSocket(address, hit) : undefined)),
  );
  const connecting: Socket[] = [];
  for (const [at, { protocol, port }] of hits.entries()) {
    const socket = prepared[at];
    if (protocol === "tcp")
      connecting.push(connect({ host: address, port, autoSelectFamily: false }).on("error", () => {}));
    else socket?.send(Buffer.of(0));
    await ticked();
  }
  await new Promise((resolve) => setImmediate(resolve));
  for (const socket of connecting) socket.destroy();
  for (const socket of prepared) socket?.close();
};

/** Node sends in the next tick, and the kernel within that call: after it the packet is on its way. */
function ticked(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

/** Bound and connected, so that nothing is left to do but to send; undefined where the kernel refuses, as it does port 0. */
function datagramSocket(address: string, { port }: Hit): Promise<DatagramSocket | undefined> {
  if (port === 0) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
    socket.on("error", () => {}); // what comes back is of no interest
    socket.connect(port, address, (error?: Error) => {
      if (error === undefined || error === null) return resolve(socket);
      socket.close();
      resolve(undefined);
    });
  });
}
