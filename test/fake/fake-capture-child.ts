import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { PassThrough, type Writable } from "node:stream";
import type { ChildStarter } from "../../src/capture/capture-process.ts";
import type { AgentMessage, ChildMessage } from "../../src/capture/child-messages.ts";
import { recordBytes, writeAlive, writeKnock } from "../../src/capture/knock-record.ts";
import { KnockBuffer } from "../../src/decode/knock-buffer.ts";

/** A capture child whose test says what it tells; it ends when it is told to, or ended. */
export class FakeCaptureChild extends EventEmitter {
  readonly pid: number;
  readonly stderr = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stdio = [null, this.stdout, this.stderr, new PassThrough()] as const;
  readonly heard: AgentMessage[] = [];
  running = true;
  exitCode: number | null = null;
  signalCode: string | null = null;

  constructor(pid: number) {
    super();
    this.pid = pid;
  }

  /** What the child is told, a line a message. It finishes at once. */
  get stdin(): Pick<Writable, "writable" | "write"> {
    const write = (line: string) => {
      const message = JSON.parse(line) as AgentMessage;
      this.heard.push(message);
      if (message.kind === "finish") this.close(0, null);
      return true;
    };
    return { writable: this.running, write };
  }

  /** The filters that it was opened with. */
  get filters(): string[] {
    const [open] = this.heard;
    return open?.kind === "open" ? open.taps.map(({ name, filter }) => `${name}: ${filter}`) : [];
  }

  /** Says that all taps are open, and applies the newest check. */
  ready(parts: Partial<Extract<ChildMessage, { kind: "ready" }>> = {}): void {
    const [open] = this.heard;
    const opened = open?.kind === "open" ? open.taps.map(({ name }) => name) : [];
    this.tell({ kind: "ready", opened, failed: [], kept: undefined, ...parts });
    this.alive();
  }

  tell(message: unknown): void {
    this.stdout.emit("data", Buffer.from(`${JSON.stringify(message)}\n`));
  }

  /** A sign of life with the version of the newest check heard. */
  alive(): void {
    const versions = this.heard.flatMap((message) => ("check" in message ? message.check.version : []));
    const bytes = Buffer.alloc(recordBytes);
    writeAlive(new DataView(bytes.buffer, bytes.byteOffset), 0, versions.at(-1) ?? 0);
    this.write(bytes);
  }

  /** A packet, told apart by its sequence number. */
  knock(sequenceNumber: number): void {
    const bytes = Buffer.alloc(recordBytes);
    const knock = Object.assign(new KnockBuffer(), {
      sequenceNumber,
      port: 7000,
      protocol: 6,
      stampMicros: 1e15 + sequenceNumber,
    });
    writeKnock(new DataView(bytes.buffer, bytes.byteOffset), 0, knock);
    this.write(bytes);
  }

  write(bytes: Buffer): void {
    this.stdio[3].emit("data", bytes);
  }

  /** The process is gone. */
  close(code: number | null, signal: string | null): void {
    if (!this.running) return;
    this.running = false;
    this.exitCode = code;
    this.signalCode = signal;
    this.emit("close", code, signal);
  }
}

/** Starts fakes and keeps them, the last one first at hand. */
export class FakeChildStarter implements ChildStarter {
  readonly children: FakeCaptureChild[] = [];

  start(): ChildProcess {
    const child = new FakeCaptureChild(1000 + this.children.length);
    this.children.push(child);
    return child as unknown as ChildProcess;
  }

  endAtOnce(pid: number): void {
    this.children.find((child) => child.pid === pid)?.close(null, "SIGKILL");
  }

  get last(): FakeCaptureChild {
    const child = this.children.at(-1);
    if (child === undefined) throw new Error("no child was started");
    return child;
  }
}
