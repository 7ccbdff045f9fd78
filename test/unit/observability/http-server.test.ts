import { connect } from "node:net";
import type { FastifyInstance } from "fastify";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createHttpServer, listen } from "../../../src/observability/http-server.ts";
import { Observability } from "../../../src/observability/observability.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { LogStream } from "../../fake/log-stream.ts";

const build = { version: "1.2.3", revision: "abc", nodeVersion: "20", libpcapVersion: "1.10", nftVersion: "1.0.6" };
let observability: Observability;
let server: FastifyInstance;

beforeEach(() => {
  const clock = new FakeClock();
  observability = new Observability({ clock, build, logLevel: "info", logFormat: "json", stdout: new LogStream() });
  server = createHttpServer({
    readiness: () => observability.readiness(),
    status: () =>
      observability.status({ mode: "enforce", confirmation: "not-asked", grants: 2, nftables: "libnftables" }),
    metrics: observability.metrics,
  });
});

afterEach(async () => {
  await server.close();
});

describe("the HTTP port", () => {
  test("is live as soon as it answers", async () => {
    expect((await server.inject("/livez")).statusCode).toBe(200);
  });

  test.each(["/readyz", "/healthz"])("%s names every failing stage, and is well when all work", async (path) => {
    const before = await server.inject(path);
    expect(before.statusCode).toBe(503);
    expect(before.json().failures).toHaveLength(4);
    observability.config.accepted(1, 0, []);
    observability.gate.intact(undefined);
    observability.capture.capturing(["eth0"], []);
    observability.setStage("grants", undefined);
    expect((await server.inject(path)).statusCode).toBe(200);
    observability.capture.capturing([], ["eth0"]);
    const after = await server.inject(path);
    expect(after.statusCode).toBe(503);
    expect(after.json().failures).toEqual(["capture: waiting for interface eth0"]);
  });

  test("serves metrics in Prometheus' text format", async () => {
    const answer = await server.inject("/metrics");
    expect(answer.headers["content-type"]).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(answer.body).toContain('knockgate_build_info{version="1.2.3"');
  });

  test("shows the status as JSON", async () => {
    observability.config.accepted(1, 1, [
      {
        severity: "error",
        code: "step-invalid",
        policy: "a/b",
        field: "spec",
        message: "Wrong; mend.",
        place: { origin: "/etc/x.yaml" },
      },
    ]);
    expect((await server.inject("/statusz")).json()).toMatchObject({
      version: "1.2.3",
      mode: "enforce",
      grants: 2,
      uptimeSeconds: 0,
      ready: false,
      policies: { accepted: [], rejected: 1, problems: [{ code: "step-invalid", policy: "a/b" }] },
      capture: { interfaces: [], waitingFor: [] },
    });
  });

  test.each(["POST", "PUT", "DELETE", "HEAD"] as const)("refuses %s", async (method) => {
    const answer = await server.inject({ method, url: "/metrics" });
    expect(answer.statusCode).toBe(405);
    expect(answer.headers.allow).toBe("GET");
  });

  test("answers JSON where there is no page", async () => {
    const answer = await server.inject("/etc/passwd");
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toEqual({ error: "There is no such page." });
  });

  test("takes a free port for 0, and says in a sentence when a port is taken", async () => {
    const port = await listen(server, { host: "127.0.0.1", port: 0 });
    expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
    const second = createHttpServer({
      readiness: () => observability.readiness(),
      status: () => observability.status({ mode: "enforce", confirmation: "not-asked", grants: 0, nftables: "" }),
      metrics: observability.metrics,
    });
    await expect(listen(second, { host: "127.0.0.1", port })).rejects.toThrow(
      /^Cannot listen on 127\.0\.0\.1:\d+ .*--listen\.$/,
    );
    await second.close();
  });

  test("ends a request whose head is too long", async () => {
    const port = await listen(server, { host: "127.0.0.1", port: 0 });
    const socket = connect(port, "127.0.0.1");
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    socket.write(`GET /livez HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(9000)}\r\n\r\n`);
    await closed;
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1\.1 431 /);
  });
});
