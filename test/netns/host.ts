import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { Dialer } from "./dialer.ts";
import { RunningProcess, type RunOptions, type RunResult, runToEnd } from "./running-process.ts";

/** What a TCP connection attempt met. `silent`: not one packet came back in time. Others are error codes. */
export type DialOutcome = "open" | "refused" | "silent" | (string & {});

/** How a socket is bound and how long it waits; a silent port costs the whole wait. */
export interface DialOptions {
  /** Default 1,000. */
  readonly timeoutMs?: number;
  readonly sourcePort?: number;
  readonly sourceAddress?: string;
}

/** A TCP connection that a host holds open. */
export interface HeldConnection {
  /** Sends a text (none when empty) and resolves to what comes back, "silent", or "ended" when it is gone. */
  exchange(text: string, timeoutMs?: number): Promise<string>;
  close(): Promise<void>;
}

/** Where programs of the tests lie that run inside namespaces. */
export function programPath(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/**
 * One network namespace with a loopback and, named `eth0`, its end of the segment. Everything started here is ended
 * with the world.
 */
export class Host {
  readonly name: string;
  /** The namespace, as `ip netns` knows it. */
  readonly namespace: string;
  readonly link = "eth0";
  /** Of `10.77.0.0/16`. */
  readonly ipv4: string;
  /** Of `fd77::/64`. */
  readonly ipv6: string;
  /** Six bytes in hexadecimal, with colons. */
  readonly mac: string;
  private readonly processes: RunningProcess[] = [];
  private dialer: Dialer | undefined;

  constructor(name: string, namespace: string, number: number) {
    this.name = name;
    this.namespace = namespace;
    this.ipv4 = `10.77.0.${number}`;
    this.ipv6 = `fd77::${number.toString(16)}`;
    this.mac = `02:77:00:00:00:${number.toString(16).padStart(2, "0")}`;
  }

  /** Runs a program in this namespace to its end. */
  run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return runToEnd("ip", ["netns", "exec", this.namespace, command, ...args], options);
  }

  /** The same, and rejects with what was printed unless it ends with 0. Resolves to standard output. */
  async expect(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const result = await this.run(command, args, options);
    if (result.code !== 0) {
      throw new Error(`${command} ${args.join(" ")} on ${this.name}: ${result.code}\n${result.stdout}${result.stderr}`);
    }
    return result.stdout;
  }

  /** Starts a program in this namespace that runs beside the test. */
  start(command: string, args: readonly string[], options: RunOptions = {}): RunningProcess {
    const started = new RunningProcess("ip", ["netns", "exec", this.namespace, command, ...args], options);
    this.processes.push(started);
    return started;
  }

  /** Tries a TCP connection from here and closes it at once. */
  async connect(address: string, port: number, options: DialOptions = {}): Promise<DialOutcome> {
    return (await this.ask({ act: "tcp", address, port, timeoutMs: 1000, ...options })) as DialOutcome;
  }

  /** Opens a TCP connection from here and keeps it; rejects when the port is not open. */
  async hold(address: string, port: number, options: DialOptions = {}): Promise<HeldConnection> {
    const id = randomUUID();
    const outcome = await this.ask({ act: "hold", id, address, port, timeoutMs: 1000, ...options });
    if (outcome !== "open") throw new Error(`${this.name} found port ${port} of ${address} ${outcome}`);
    return {
      exchange: async (text, timeoutMs = 1000) => String(await this.ask({ act: "exchange", id, text, timeoutMs })),
      close: async () => void (await this.ask({ act: "release", id })),
    };
  }

  /** Sends a datagram and resolves to the answer's text, "unreachable" or "silent". */
  async udp(address: string, port: number, options: DialOptions & { text?: string } = {}): Promise<string> {
    return String(await this.ask({ act: "udp", address, port, text: "hello", timeoutMs: 1000, ...options }));
  }

  /** Sends one datagram to a broadcast or multicast address and resolves to the first answer or "silent". */
  async broadcast(address: string, port: number, options: DialOptions = {}): Promise<string> {
    return String(
      await this.ask({ act: "udp", address, port, text: "x", broadcast: true, timeoutMs: 1000, ...options }),
    );
  }

  /** Knocks: one packet a step (`7000/udp`; without a protocol tcp), in order, without waiting for answers. */
  async knock(address: string, steps: readonly string[], options: Omit<DialOptions, "timeoutMs"> = {}): Promise<void> {
    for (const step of steps) {
      const [port, protocol] = step.split("/");
      const act = protocol === "udp" ? "udp" : "syn";
      await this.ask({ act, address, port: Number(port), text: "\0", timeoutMs: 0, ...options });
    }
  }

  /** Asks an HTTP server from inside this namespace; status 0 when nobody answered. */
  async http(port: number, path: string, host = "127.0.0.1"): Promise<{ status: number; body: string }> {
    const answer = await this.ask({ act: "http", host, port, path, timeoutMs: 2000 });
    return answer as { status: number; body: string };
  }

  /** Starts a service that greets TCP connections, echoes what it is sent and answers datagrams. */
  async serve(ports: readonly string[], manner: "quiet" | "chatty" = "quiet"): Promise<RunningProcess> {
    const server = this.start(process.execPath, [programPath("echo-server.mjs"), ...ports, manner]);
    await server.waitForLine("serving");
    return server;
  }

  /** Ends everything that was started here, the last first. */
  async end(): Promise<void> {
    await Promise.all(this.processes.reverse().map((started) => (started.isOver ? undefined : started.stop())));
    this.dialer = undefined;
  }

  /** Kills everything that was started here, without waiting: for the moment of exit. */
  kill(): void {
    for (const started of this.processes) started.signal("SIGKILL");
  }

  private ask(question: Parameters<Dialer["ask"]>[0]): Promise<unknown> {
    this.dialer ??= new Dialer(this.start(process.execPath, [programPath("dialer.mjs")]));
    return this.dialer.ask(question);
  }
}
