import { connect, type Socket } from "node:net";
import { type Clock, sleep } from "../clock.ts";

/** Which address answered. */
export type WaitForPort = (
  addresses: readonly string[],
  port: number,
  waitMs: number,
  clock: Clock,
) => Promise<string | undefined>;

/** Pauses before the second and later attempts; the last is repeated. */
const pausesMs = [10, 20, 40, 80, 150, 300, 500] as const;

/**
 * Waits until a TCP port of one of several addresses accepts a connection: the first that does, or undefined after `waitMs`.
 * Attempts overlap: one that was dropped before the door opened would only be repeated by the kernel after a second, and a short
 * limit on each would never succeed over a slow line. The connection is closed at once.
 */
export const waitForPort: WaitForPort = async (addresses, port, waitMs, clock) => {
  const beganMicros = clock.nowMicros();
  const answered = new AbortController();
  const attempts = new Set<Socket>();
  let first: string | undefined;
  const elapsedMs = () => (clock.nowMicros() - beganMicros) / 1000;
  const found = (address: string) => {
    first ??= address;
    answered.abort();
  };
  try {
    for (let round = 0; !answered.signal.aborted && elapsedMs() < waitMs; round++) {
      for (const address of addresses) attempt(address, port, attempts, () => found(address));
      const pause = pausesMs[Math.min(round, pausesMs.length - 1)] ?? 0;
      await sleep(Math.min(pause, waitMs - elapsedMs()), answered.signal);
    }
    return first;
  } finally {
    for (const socket of attempts) socket.destroy();
  }
};

function attempt(address: string, port: number, attempts: Set<Socket>, answered: () => void): void {
  const socket = connect({ host: address, port, autoSelectFamily: false });
  attempts.add(socket);
  socket.once("connect", answered);
  socket.on("error", () => socket.destroy()); // refused or unreachable: closed still, the next attempt follows
  socket.once("close", () => attempts.delete(socket));
}
