import { describe, expect, test } from "vitest";
import { type OptionSpec, optionTable, variableOf } from "../../src/option-table.ts";
import { defaultDropProblem, type GivenOptions, readAgentOptions, readOptions } from "../../src/options.ts";
import { formatCidr } from "../../src/policy/address.ts";
import { formatPort } from "../../src/policy/port.ts";

const config = { config: ["/etc/knockgate"] };

function read(given: GivenOptions, env: Record<string, string> = {}) {
  const reading = readAgentOptions(given, env);
  if (reading.kind === "refused") throw new Error(reading.problems.join("\n"));
  return reading.options;
}

function problems(given: GivenOptions, env: Record<string, string> = {}): readonly string[] {
  const reading = readAgentOptions(given, env);
  return reading.kind === "refused" ? reading.problems : [];
}

describe("options", () => {
  test("have the defaults of the reference", () => {
    expect(read(config)).toEqual({
      configs: ["/etc/knockgate"],
      knockdConfs: [],
      crd: false,
      configMaps: [],
      namespaces: [],
      allNamespaces: false,
      nodeName: "",
      kubeconfig: "",
      stateSecrets: false,
      interfaces: [],
      capture: { kind: "live" },
      logPrefix: "portknock",
      confirmWithin: 0,
      mode: "enforce",
      guards: [],
      guardAddresses: [],
      trusts: [],
      neverGrants: [],
      serves: [],
      defaultDrop: false,
      closedAs: "silent",
      allowCommands: false,
      allowCritical: false,
      maxSources: 1_000_000,
      maxGrants: 65_536,
      listen: { host: "127.0.0.1", port: 9780 },
      socket: "/run/knockgate/agent.sock",
      stateDir: "/var/lib/knockgate",
      logLevel: "info",
      logFormat: "json",
    });
  });

  test("are frozen", () => {
    const options = read(config);
    expect(Object.isFrozen(options)).toBe(true);
    expect(Object.isFrozen(options.guards)).toBe(true);
  });

  test("come from the environment, repeated ones separated by commas", () => {
    const options = read(
      {},
      {
        KNOCKGATE_CONFIG: "/a,/b",
        KNOCKGATE_GUARD: "22, 6000-6002/udp",
        KNOCKGATE_TRUST: "192.0.2.0/24,2001:db8::/32",
        KNOCKGATE_DEFAULT_DROP: "true",
        KNOCKGATE_LISTEN: "[::1]:0",
      },
    );
    expect(options.configs).toEqual(["/a", "/b"]);
    expect(options.guards.map(formatPort)).toEqual(["22/tcp", "6000/udp", "6001/udp", "6002/udp"]);
    expect(options.trusts.map(formatCidr)).toEqual(["192.0.2.0/24", "2001:db8::/32"]);
    expect(options.defaultDrop).toBe(true);
    expect(options.listen).toEqual({ host: "::1", port: 0 });
  });

  test("on the command line win over the environment, and an empty variable is none", () => {
    const options = read({ ...config, mode: ["observe"] }, { KNOCKGATE_MODE: "enforce", KNOCKGATE_LOG_LEVEL: "" });
    expect(options.mode).toBe("observe");
    expect(options.logLevel).toBe("info");
  });

  test("name a port once however often it is given", () => {
    expect(read({ ...config, guard: ["22", "22/tcp", "21-22"] }).guards.map(formatPort)).toEqual(["22/tcp", "21/tcp"]);
  });

  test("of the other commands are read alone", () => {
    const reading = readOptions(["socket"], {}, { KNOCKGATE_SOCKET: "/run/x.sock", KNOCKGATE_GUARD: "nonsense" });
    expect(reading).toEqual({ kind: "read", options: { socket: "/run/x.sock" } });
  });
});

describe("wrong options", () => {
  test.each<{ name: string; given: GivenOptions; says: RegExp }>([
    { name: "a port above 65535", given: { guard: ["70000"] }, says: /^--guard: "70000" is not a port: write 22\/tcp/ },
    {
      name: "a range with host bits",
      given: { "never-grant": ["10.0.0.1/8"] },
      says: /^--never-grant: "10\.0\.0\.1\/8" is not an address range/,
    },
    {
      name: "trust in everybody",
      given: { trust: ["0.0.0.0/0"] },
      says: /^--trust: "0\.0\.0\.0\/0" is not a range to trust/,
    },
    { name: "trust in everybody, IPv6", given: { trust: ["::/0"] }, says: /^--trust/ },
    { name: "trust in everybody, mapped", given: { trust: ["::ffff:0:0/96"] }, says: /^--trust/ },
    { name: "trust in half of everybody", given: { trust: ["128.0.0.0/1"] }, says: /no wider than \/8/ },
    { name: "an unknown mode", given: { mode: ["drop"] }, says: /^--mode: "drop" is not one of enforce, observe\.$/ },
    {
      name: "a count of nothing",
      given: { "max-grants": ["0"] },
      says: /^--max-grants: "0" is not a number from 1 to/,
    },
    { name: "a count that is no number", given: { "max-sources": ["1e6"] }, says: /^--max-sources/ },
    { name: "a listen address without a port", given: { listen: ["127.0.0.1"] }, says: /^--listen/ },
    { name: "a listen port out of range", given: { listen: ["127.0.0.1:65536"] }, says: /^--listen/ },
    { name: "an interface with a slash", given: { interface: ["eth/0"] }, says: /^--interface/ },
    {
      name: "any beside another interface",
      given: { interface: ["any", "eth0"] },
      says: /^--interface any taps every interface/,
    },
    { name: "a socket's path that does not fit", given: { socket: [`/${"x".repeat(107)}`] }, says: /^--socket/ },
    {
      name: "a port guarded and served",
      given: { guard: ["22"], serve: ["22"] },
      says: /^22\/tcp is in both --guard and --serve/,
    },
    {
      name: "a critical port",
      given: { guard: ["6443"] },
      says: /^--guard 6443\/tcp may cut this node off.*--allow-critical/,
    },
    { name: "nothing to guard", given: { config: [] }, says: /^There is nothing to guard/ },
    { name: "a namespace without --crd", given: { namespace: ["a"] }, says: /add --crd/ },
    {
      name: "all namespaces and one",
      given: { crd: true, "all-namespaces": true, namespace: ["a"] },
      says: /leave --namespace out/,
    },
    {
      name: "half a ConfigMap",
      given: { configmap: ["gate"] },
      says: /^--configmap: "gate" is not a ConfigMap: write namespace\/name/,
    },
    { name: "no namespace", given: { crd: true, namespace: ["A"] }, says: /is not a namespace/ },
    { name: "no Node", given: { "node-name": ["a b"] }, says: /is not the name of a Node/ },
  ])("$name", ({ given, says }) => {
    expect(problems({ ...config, ...given })).toEqual([expect.stringMatching(says)]);
  });

  test("policies of the Kubernetes API are something to guard", () => {
    expect(read({ crd: true })).toMatchObject({ configs: [], crd: true });
    const configmap = ["bastion/gate", "bastion/more.gates"];
    expect(read({ configmap }).configMaps).toEqual([
      { namespace: "bastion", name: "gate" },
      { namespace: "bastion", name: "more.gates" },
    ]);
  });

  test("are told all at once, by where they come from", () => {
    const told = problems(
      { guard: ["a", "b"], mode: ["c"] },
      { KNOCKGATE_TRUST: "d", KNOCKGATE_ALLOW_COMMANDS: "maybe" },
    );
    expect(told.map((sentence) => sentence.split(":")[0])).toEqual([
      "--mode",
      "--guard",
      "--guard",
      "KNOCKGATE_TRUST",
      "KNOCKGATE_ALLOW_COMMANDS",
    ]);
  });

  test("a critical port may be guarded when that is meant", () => {
    expect(problems({ ...config, guard: ["6443"], "allow-critical": true })).toEqual([]);
  });
});

describe("--default-drop", () => {
  test("is refused where nothing is served, trusted or guarded, for nobody could get in", () => {
    expect(problems({ "default-drop": true })).toEqual([
      expect.stringMatching(/^--default-drop would lock everybody out/),
    ]);
    expect(problems({ "default-drop": true, serve: ["22"] })).toEqual([]);
    expect(problems({ "default-drop": true, trust: ["192.0.2.0/24"] })).toEqual([]);
    expect(problems({ "default-drop": true, guard: ["22"] })).toEqual([]);
  });

  test("is asked again when the policies are known", () => {
    const options = read({ ...config, "default-drop": true });
    expect(defaultDropProblem(options, false)).toMatch(/lock everybody out/);
    expect(defaultDropProblem(options, true)).toBeUndefined();
    expect(defaultDropProblem({ ...options, defaultDrop: false }, false)).toBeUndefined();
  });
});

test("every option has a sentence, and a default that it accepts itself", () => {
  for (const spec of Object.values<OptionSpec>(optionTable)) {
    expect(spec.help).toMatch(/\.$/);
    expect(variableOf(spec)).toMatch(/^KNOCKGATE_[A-Z_]+$/);
    if (spec.default !== undefined) expect(spec.value.read(spec.default)).toBeDefined();
  }
});

describe("--capture", () => {
  test.each([
    { text: "live", capture: { kind: "live" } },
    { text: "journal", capture: { kind: "journal" } },
    { text: "-", capture: { kind: "input" } },
    { text: "log:/var/log/kern.log", capture: { kind: "file", path: "/var/log/kern.log" } },
  ])("may be $text", ({ text, capture }) => {
    expect(read({ ...config, capture: [text] }).capture).toEqual(capture);
  });

  test.each(["", "log", "log:", "/var/log/kern.log", "eth0"])("may not be `%s`", (text) => {
    expect(problems({ ...config, capture: [text] })[0]).toMatch(/^--capture: .*write live, log:PATH, journal, or -/);
  });

  test.each(["", " ", " x", 'a"b', "a\\b", "a\nb", "x".repeat(30), "IN=", "$(id)"])(
    "--log-prefix may not be `%s`",
    (text) => {
      expect(problems({ ...config, "log-prefix": [text] })[0]).toMatch(/^--log-prefix: .*is not a prefix/);
    },
  );

  test.each(["portknock", "portknock ", "[KNOCK] ", "x".repeat(29)])("--log-prefix may be `%s`", (text) => {
    expect(read({ ...config, "log-prefix": [text] }).logPrefix).toBe(text);
  });
});
