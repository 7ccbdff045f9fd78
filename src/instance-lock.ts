import { connect, createServer, type Server, type Socket } from "node:net";
import { type Clock, sleep } from "./clock.ts";
import { type SocketOwner, socketOwner } from "./socket-owner.ts";

/**
 * 108 bytes, all that sun_path holds: libuv before 1.47 fills shorter abstract names up with NULs and later ones do not, so
 * that agents on different versions of Node would not meet.
 */
const lockName = `\0${"knockgate-agent".padEnd(107, ".")}`;

/** Whoever waits connects; more than a few of them are strangers' connections. */
const mostGuests = 64;

/**
 * The pauses after waits that ended soon without the name being free: a killed process may lose its connections a moment
 * before its name, and a holder with too many guests turns one away at once.
 */
const pausesMs = [10, 100, 1000] as const;

export interface InstanceLockOptions {
  readonly clock: Clock;
  /** Told when the lock is no help, in one sentence. */
  readonly warned: (message: string) => void;
  /** The abstract name; tests take others. */
  readonly name?: string;
  /** Asks who listens on a socket; tests put a script in its place. */
  readonly ownerOf?: (path: string) => SocketOwner | undefined;
}

/**
 * One agent per network namespace: who listens on an abstract unix socket (unix(7)) of a fixed name is the agent. Such
 * names belong to the network namespace, exactly what must not be shared, so two agents meet whatever their --state-dir
 * and mount namespace are, as two containers on the host's network have; the kernel frees the name with the process,
 * however it ends; and a waiting agent's connection ends in the same moment, so nobody polls.
 *
 * The alternative was flock(2) on a file in --state-dir named after the namespace's inode. Two state directories are two
 * locks there, Node has no flock, and the program of that name is one process more that has to live as long as the agent.
 * The price: anybody on the host may bind an abstract name. So the kernel is asked who did, and a holder that is neither
 * root nor of our own user is no agent: it is told, and the agent goes on without the lock rather than be kept from its work.
 */
export class InstanceLock {
  private readonly options: InstanceLockOptions;
  private readonly name: string;
  private readonly guests = new Set<Socket>();
  private server: Server | undefined;
  private wait: Socket | undefined;
  private readonly released = new AbortController();

  constructor(options: InstanceLockOptions) {
    this.options = options;
    this.name = options.name ?? lockName;
  }

  /**
   * Resolves when this process is the only agent. `waiting` is called with who holds the lock each time it has to wait.
   * Rejects when it was released meanwhile.
   */
  async acquire(waiting: (holder: string) => void): Promise<void> {
    for (let soon = 0; !this.released.signal.aborted; soon = (await this.untilHolderEnds()) < 1000 ? soon + 1 : 0) {
      if (await this.bind()) return;
      const owner = (this.options.ownerOf ?? socketOwner)(this.name);
      if (owner !== undefined && !isAgentsUser(owner)) return this.options.warned(strangerSentence(owner));
      waiting(owner === undefined || owner.pid === 0 ? "another agent" : `agent with pid ${owner.pid}`);
      if (soon > 0) await sleep(pausesMs[soon - 1] ?? pausesMs[2], this.released.signal);
    }
    throw new Error("the lock could not be taken: the wait was ended");
  }

  /** Lets go, or stops waiting; idempotent. */
  release(): void {
    this.released.abort();
    this.server?.close();
    this.server = undefined;
    for (const socket of this.guests) socket.destroy();
    this.wait?.destroy();
  }

  /** Whether the name was free and is ours now. */
  private async bind(): Promise<boolean> {
    const server = createServer((socket) => this.receive(socket));
    server.maxConnections = mostGuests;
    const isOurs = await new Promise<boolean>((resolve, reject) => {
      server.on("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "EADDRINUSE") resolve(false);
        else reject(new Error(`the agent's lock cannot be taken: ${error.message}`, { cause: error }));
      });
      server.listen({ path: this.name }, () => resolve(true));
    });
    if (!isOurs) return false;
    server.unref();
    this.server = server;
    if (this.released.signal.aborted) this.release();
    return !this.released.signal.aborted;
  }

  /** Keeps the connection of one that waits, so that its end tells of ours. Nobody has anything to say here. */
  private receive(socket: Socket): void {
    this.guests.add(socket);
    socket.unref();
    socket.on("data", () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.guests.delete(socket));
  }

  /** Resolves, to how long that took, when the connection to the holder has ended or there is none. */
  private async untilHolderEnds(): Promise<number> {
    if (this.released.signal.aborted) return 0;
    const sinceMicros = this.options.clock.nowMicros();
    await new Promise<void>((resolve) => {
      this.wait = connect({ path: this.name });
      this.wait.resume();
      this.wait.on("error", () => undefined); // it closes then, and that is what is waited for
      this.wait.on("close", () => resolve());
    });
    return (this.options.clock.nowMicros() - sinceMicros) / 1000;
  }
}

function isAgentsUser({ uid }: SocketOwner): boolean {
  return uid === 0 || uid === process.geteuid?.();
}

function strangerSentence({ pid, uid }: SocketOwner): string {
  return `the process ${pid} of the unprivileged user ${uid} holds the name of the agent's lock and is ignored: end it, so that a second agent can be noticed`;
}
