import { describe, expect, test } from "vitest";
import { logEvents } from "../../../src/observability/log-events.ts";
import { Logger } from "../../../src/observability/logger.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { LogStream } from "../../fake/log-stream.ts";

const auditFields = { source: "192.0.2.7", policy: "bastion/ssh", ports: ["22/tcp"] };
type LoggerSettings = Pick<ConstructorParameters<typeof Logger>[0], "level" | "format">;

function loggerOn(stream: LogStream, settings: Partial<LoggerSettings> = {}): Logger {
  return new Logger({ level: "info", format: "json", stream, clock: new FakeClock(), ...settings });
}

describe("the log", () => {
  test("a line is JSON with time, level, event and message", () => {
    const stream = new LogStream();
    loggerOn(stream).log("config-accepted", "The configuration is in force.", { accepted: 2, rejected: 0 });
    expect(stream.lines).toEqual([
      {
        level: "info",
        time: "2023-11-14T22:30:00.000Z",
        event: "config-accepted",
        accepted: 2,
        rejected: 0,
        message: "The configuration is in force.",
      },
    ]);
  });

  test("the level follows from the event, and quieter lines are left out", () => {
    const stream = new LogStream();
    const logger = loggerOn(stream, { level: "error" });
    logger.log("config-accepted", "quiet");
    logger.log("nftables-failed", "loud");
    expect(stream.lines.map(({ level, event }) => [level, event])).toEqual([["error", "nftables-failed"]]);
  });

  test("an audit record is written whatever the level", () => {
    const stream = new LogStream();
    loggerOn(stream, { level: "error" }).audit("grant-added", "A door was opened.", auditFields);
    expect(stream.lines).toMatchObject([{ audit: true, event: "grant-added", ...auditFields }]);
  });

  test("people get text, in this process", () => {
    const stream = new LogStream();
    loggerOn(stream, { format: "pretty" }).log("agent-ready", "Every stage works.");
    expect(stream.text).toMatch(/INFO.*Every stage works\.\n.*event: "agent-ready"/);
  });

  test("every event has a sentence and a level", () => {
    for (const [name, { help }] of Object.entries(logEvents)) {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)+$/);
      expect(help).toMatch(/\.$/);
    }
  });
});

describe("a log that nobody reads", () => {
  test("costs bounded memory, is counted, and is told when it is read again", async () => {
    const stream = new LogStream("stuck");
    const logger = loggerOn(stream);
    const long = "x".repeat(10_000);
    for (let line = 0; line < 500; line++) logger.log("capture-warned", long);
    expect(stream.writableLength).toBeLessThan(1_100_000);
    expect(logger.droppedLines).toBeGreaterThan(350);
    stream.unstick();
    await logger.drained();
    logger.log("agent-ready", "again");
    expect(stream.lines.slice(-2)).toMatchObject([
      { event: "log-lines-dropped", count: logger.droppedLines },
      { event: "agent-ready" },
    ]);
  });

  test("takes audit records when it takes no other lines any more", () => {
    const stream = new LogStream("stuck");
    const logger = loggerOn(stream);
    for (let line = 0; line < 200; line++) logger.log("capture-warned", "x".repeat(10_000));
    const dropped = logger.droppedLines;
    logger.audit("grant-added", "A door was opened.", auditFields);
    expect(logger.droppedLines).toBe(dropped);
    for (let line = 0; line < 500; line++) logger.audit("grant-added", "x".repeat(10_000), auditFields);
    expect(stream.writableLength).toBeLessThan(4_400_000);
  });

  test("whose reader went away is survived", async () => {
    const stream = new LogStream();
    const logger = loggerOn(stream);
    const gone = new Promise((resolve) => stream.once("close", resolve));
    stream.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    await gone;
    logger.log("agent-ready", "nobody hears");
    expect(logger.droppedLines).toBe(1);
    await logger.drained();
  });
});
