import type { Server, Socket } from "node:net";

/**
 * Keeps a server at no more than `most` connections: the newest is let in and the oldest ended. Turning the newest away, as
 * Node's `maxConnections` does, would let whoever holds them all shut out the probe that asks whether we live. An answer
 * takes milliseconds, so the oldest has had its answer or does not want one. `dropped` is told of each that was ended.
 */
export function boundConnections(server: Server, most: number, dropped: () => void): void {
  const open = new Set<Socket>(); // in the order in which they came
  server.on("connection", (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    const [oldest] = open;
    if (open.size <= most || oldest === undefined) return;
    open.delete(oldest); // "close" comes a turn later, and the next newcomer must find another one
    oldest.destroy();
    dropped();
  });
}
