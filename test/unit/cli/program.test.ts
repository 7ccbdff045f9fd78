import { describe, expect, test, vi } from "vitest";
import { runProgram } from "../../../src/cli/program.ts";
import type { CommandLoaders } from "../../../src/cli/wiring.ts";
import { parseAddress } from "../../../src/policy/address.ts";
import { MemoryIo } from "../../fake/memory-io.ts";

const names = [
  "agent",
  "knock",
  "knockd",
  "watch",
  "check",
  "convert",
  "ruleset",
  "replay",
  "hunt",
  "grants",
  "revoke",
  "confirm",
  "cleanup",
] as const;
const kubeNames = ["kubeGrants", "kubeRevoke", "kubeWatch"] as const;

/** Runs the program with commands that only note what they were asked. */
async function run(line: string, env: Record<string, string> = {}, command = vi.fn(async () => 0)) {
  const io = new MemoryIo(env);
  const asked: Record<string, unknown> = {};
  const loaders = Object.fromEntries(
    [...names, ...kubeNames].map((name) => [
      name,
      async () => (args: unknown) => {
        asked[name] = args;
        return command();
      },
    ]),
  ) as unknown as CommandLoaders;
  const code = await runProgram(
    line.split(" ").filter((word) => word !== ""),
    io,
    loaders,
  );
  return { code, asked, out: io.out, err: io.err };
}

describe("usage", () => {
  test.each(names)("%s -h explains itself with an example", async (name) => {
    const { code, out } = await run(`${name} -h`);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^Usage: knockgate ${name}`));
    expect(out).toMatch(new RegExp(`Examples?:\n {2}knockgate ${name}`));
  });

  test.each(["-V", "--version", "knock -V"])("%s prints the version", async (line) => {
    expect(await run(line)).toMatchObject({ code: 0, out: expect.stringMatching(/^knockgate \d+\.\d+\.\d+\n$/) });
  });

  test.each([
    { line: "", says: /Usage: knockgate/ },
    { line: "open", says: /^error: unknown command 'open'/ },
    { line: "agent --gaurd 22", says: /^error: unknown option '--gaurd' \(Did you mean --guard\?\)/ },
    { line: "agent extra --config /x", says: /^error: too many arguments/ },
    { line: "agent", says: /^error: There is nothing to guard/ },
    { line: "knock host", says: /^error: missing required argument 'port'/ },
    { line: "knock @bastion 7000", says: /^error: a profile has its own ports/ },
    { line: "knock -4 -6 host 1", says: /^error: option/ },
    { line: "knock --wait soon host 1", says: /^error: --wait: "soon" is not a duration/ },
    { line: "watch 10.1", says: /^error: "10\.1" is not an address/ },
    { line: "revoke", says: /^error: missing required argument/ },
    { line: "grants -o yaml", says: /^error: option '-o, --output <format>' argument 'yaml' is invalid/ },
    { line: "grants --context x", says: /^error: --context is for the Kubernetes API: add --kube/ },
    { line: "watch --kube", says: /^error: missing required argument 'source'/ },
    { line: "watch 192.0.2.7 --node one", says: /^error: --node is for the Kubernetes API/ },
    { line: "watch --for soon", says: /^error: --for: "soon" is not a duration/ },
    { line: "grants -A", says: /^error: --all-namespaces is for the Kubernetes API: add --kube/ },
    { line: "grants --kube -n a -A", says: /^error: option '-A, --all-namespaces' cannot be used with/ },
    { line: "revoke 192.0.2.7 --kube --sequence ssh", says: /^error: --sequence: "ssh" is not namespace\/name/ },
    { line: "revoke 192.0.2.7 --kube --sequence a/b -n c", says: /^error: --sequence names its namespace itself/ },
    { line: "check", says: /^error: missing required argument/ },
    { line: "hunt", says: /^error: name what to look at: a capture FILE/ },
    { line: "hunt --sockets --interface eth0", says: /^error: name what to look at/ },
    { line: "hunt x.pcap --interface eth0", says: /^error: name what to look at/ },
    { line: "hunt x.pcap --step-gap soon", says: /^error: option '--step-gap <D>' argument 'soon' is invalid/ },
    { line: "hunt x.pcap --min-score 101", says: /^error: option '--min-score <N>'/ },
    { line: "replay x.pcap", says: /^error: replay needs policies: name them with --config/ },
  ])("`$line` is wrong usage", async ({ line, says }) => {
    const { code, err, out } = await run(line);
    expect(code).toBe(2);
    expect(err).toMatch(says);
    expect(out).toBe("");
  });

  test("every problem of the agent's options is on a line of its own", async () => {
    const { code, err } = await run("agent --guard x --mode y --config /z");
    expect(code).toBe(2);
    expect(err.split("\n").filter((line) => line.startsWith("error: "))).toHaveLength(2);
    expect(err).toMatch(/\nSee knockgate agent -h\.\n$/);
  });
});

describe("a command", () => {
  test("gets the agent's options, of the command line and the environment", async () => {
    const { asked } = await run("agent --config a --config b --guard 22 --default-drop", {
      KNOCKGATE_LOG_LEVEL: "debug",
    });
    expect(asked.agent).toMatchObject({
      configs: ["a", "b"],
      guards: [{ port: 22 }],
      defaultDrop: true,
      logLevel: "debug",
    });
  });

  test("gets what knock was asked", async () => {
    const { asked } = await run("knock -u -d 5 -6 -v --open 22 --wait 1500ms host 7000 8000:tcp");
    expect(asked.knock).toEqual({
      host: "host",
      ports: ["7000", "8000:tcp"],
      udp: true,
      delay: "5",
      family: 6,
      verbose: true,
      open: "22",
      waitMs: 1500,
      exec: undefined,
      profiles: undefined,
    });
  });

  test("gets knock's options in any order, joined, and behind the ports", async () => {
    const { asked } = await run("knock host 7000 -vud100 8000 -4");
    expect(asked.knock).toMatchObject({ ports: ["7000", "8000"], udp: true, verbose: true, delay: "100", family: 4 });
  });

  test("gets a profile without ports, and a command", async () => {
    const { asked } = await run("knock @bastion --exec id --profiles /p");
    expect(asked.knock).toMatchObject({ host: "@bastion", ports: [], exec: "id", profiles: "/p", waitMs: undefined });
  });

  test("gets what to convert", async () => {
    expect((await run("convert --explain a.conf")).asked.convert).toEqual({
      path: "a.conf",
      keepMatching: false,
      explain: true,
    });
  });

  test("gets addresses, paths and the socket", async () => {
    const env = { KNOCKGATE_SOCKET: "/run/x.sock" };
    const source = parseAddress("192.0.2.7");
    const watch = { socket: "/run/x.sock", output: "table", forMs: undefined, untilEof: false };
    expect((await run("watch 192.0.2.7", env)).asked.watch).toEqual({ source, ...watch });
    expect((await run("watch", env)).asked.watch).toEqual({ ...watch, source: undefined });
    expect((await run("watch -o json --for 90s --until-eof", env)).asked.watch).toMatchObject({
      output: "json",
      forMs: 90_000,
      untilEof: true,
    });
    expect((await run("grants -o json --socket /a")).asked.grants).toEqual({ output: "json", socket: "/a" });
    expect((await run("revoke 192.0.2.7 --sequence a/b", env)).asked.revoke).toEqual({
      source,
      sequence: "a/b",
      socket: "/run/x.sock",
    });
    expect((await run("check a b")).asked.check).toEqual({
      paths: ["a", "b"],
      output: "table",
      guards: [],
      serves: [],
      allowCommands: false,
      allowCritical: false,
    });
    expect((await run("cleanup --state-dir /s", env)).asked.cleanup).toEqual({ stateDir: "/s", socket: "/run/x.sock" });
    expect((await run("replay f.pcap --config c --local 192.0.2.7")).asked.replay).toEqual({
      file: "f.pcap",
      configs: ["c"],
      knockdConfs: [],
      locals: [source],
      output: "table",
    });
    expect((await run("ruleset --config c", { KNOCKGATE_LOG_PREFIX: "x" })).asked.ruleset).toMatchObject({
      options: { configs: ["c"], maxGrants: 65_536 },
      logPrefix: undefined,
    });
    expect((await run("ruleset --config c --log-prefix knock")).asked.ruleset).toMatchObject({ logPrefix: "knock" });
  });

  test("gets where in the Kubernetes API to look", async () => {
    const source = parseAddress("192.0.2.7");
    const scope = { kubeconfig: undefined, context: undefined, namespace: undefined, allNamespaces: false };
    expect((await run("grants --kube -A --context x")).asked).toEqual({
      kubeGrants: { output: "table", scope: { ...scope, context: "x", allNamespaces: true } },
    });
    expect((await run("revoke 192.0.2.7 --kube -n n --kubeconfig /k")).asked).toEqual({
      kubeRevoke: { source, sequence: undefined, scope: { ...scope, namespace: "n", kubeconfig: "/k" } },
    });
    expect((await run("watch 192.0.2.7 --kube -A --node one --node two --for 1m")).asked).toEqual({
      kubeWatch: {
        source,
        scope: { ...scope, allNamespaces: true },
        selector: "app.kubernetes.io/name=knockgate,app.kubernetes.io/component=agent",
        nodes: ["one", "two"],
        output: "table",
        forMs: 60_000,
      },
    });
    expect((await run("revoke 192.0.2.7 --kube --sequence a/b")).asked.kubeRevoke).toMatchObject({
      sequence: { namespace: "a", name: "b" },
    });
  });

  test("sets the exit code", async () => {
    expect(
      (
        await run(
          "check a",
          {},
          vi.fn(async () => 1),
        )
      ).code,
    ).toBe(1);
  });

  test("that fails ends in one sentence, with a trace only for who asked", async () => {
    const failing = vi.fn(() => Promise.reject(new Error("The socket is gone: start the agent.")));
    expect(await run("grants", {}, failing)).toMatchObject({
      code: 1,
      err: "error: The socket is gone: start the agent.\n",
    });
    expect((await run("grants", { KNOCKGATE_LOG_LEVEL: "debug" }, failing)).err).toMatch(/\n\s+at /);
  });
});
