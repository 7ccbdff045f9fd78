import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compile } from "../../../src/policy/compile.ts";
import { convertKnockdConf } from "../../../src/policy/knockd-convert.ts";
import { plainOptions } from "../../fake/policy-text.ts";

const folder = new URL("../../fixture/knockd-conf/", import.meta.url).pathname;
const names = readdirSync(folder).flatMap((file) => (file.endsWith(".conf") ? [file.slice(0, -5)] : []));

function textOf(name: string): string {
  return readFileSync(join(folder, `${name}.conf`), "utf8");
}

function convert(name: string, keepMatching = false) {
  const conversion = convertKnockdConf(textOf(name), { origin: `${name}.conf`, keepMatching });
  if (conversion.kind === "faulty") throw new Error(JSON.stringify(conversion.problems));
  return conversion;
}

function door(name: string, sequence: string, command: string): string {
  return `[${name}]\nsequence = ${sequence}\ntcpflags = syn\nstart_command = ${command}\n`;
}

function fatesOf(...doors: readonly string[]) {
  const conversion = convertKnockdConf(doors.join(""), { origin: "x", keepMatching: false });
  return conversion.kind === "converted" ? conversion.fates : expect.fail("the file is faulty");
}

test("there are files in thirty shapes and more", () => {
  expect(names.length).toBeGreaterThanOrEqual(30);
});

describe.each(names)("%s.conf", (name) => {
  test("becomes the policies that lie beside it", async () => {
    await expect(convert(name).yaml).toMatchFileSnapshot(join(folder, `${name}.yaml`));
  });

  test.each([false, true])("becomes policies that check accepts (--keep-matching: %s)", (keepMatching) => {
    const { yaml, fates } = convert(name, keepMatching);
    const { problems, policies } = compile([{ origin: name, format: "yaml", text: yaml }], {
      ...plainOptions,
      allowCommands: true,
    });
    expect(problems.filter(({ severity }) => severity === "error")).toEqual([]);
    expect(policies).toHaveLength(fates.filter(({ policy }) => policy !== undefined).length);
    if (keepMatching) expect(yaml).not.toContain("Tolerant");
  });

  test("passes check as it is, with commands allowed", () => {
    const text = {
      origin: name,
      format: "knockd-conf",
      text: textOf(name),
      oneTimeFiles: { "/etc/knockd/sequences": "2401,2502,2303\n" },
    } as const;
    const { problems } = compile([text], { ...plainOptions, allowCommands: true });
    expect(problems.filter(({ severity }) => severity === "error")).toEqual([]);
  });
});

describe("what is to be checked is said", () => {
  test.each([
    { name: "en-dash", door: "SSH", says: "a command has a dash or quote of a web page (–)" },
    {
      name: "wrong-close",
      door: "opencloseSSH",
      says: "its stop command removed nothing: it removes a rule with DROP, and the rule was ACCEPT",
    },
    { name: "all-ports", door: "openSSH", says: "its rule opened every port" },
    { name: "no-protocol", door: "ssh", says: "iptables refuses --dport without -p" },
    { name: "ufw-everybody", door: "openSSH", says: "to everybody" },
    { name: "nft-element", door: "ssh", says: "guessed from its name" },
    { name: "nft-unknown-set", door: "letin", says: "which ports the set friends opens stands in the ruleset" },
    { name: "one-time", door: "ssh", says: "one-time sequences have no equal" },
    { name: "nat", door: "rdp", says: "it changes the table nat" },
    { name: "two-closers", door: "shut", says: "its Seq_Timeout is now that of open" },
    { name: "same-sequence", door: "web", says: "only matching: Knockd allows" },
    { name: "knocked-and-opened", door: "stealth", says: "a knock port is never guarded" },
    { name: "kubernetes-api", door: "api", says: "--allow-critical" },
    { name: "firewalld-port", door: "web", says: "only for the zone public" },
  ])("of $name", ({ name, door, says }) => {
    const fate = convert(name).fates.find((each) => each.door.name === door);
    expect(fate?.checks.join("; ")).toContain(says);
  });

  test("check names the dash of a web page too", () => {
    const text = { origin: "x", format: "knockd-conf", text: textOf("en-dash") } as const;
    const { problems } = compile([text], { ...plainOptions, allowCommands: true });
    const found = problems.filter(({ code }) => code === "command-typography");
    expect(found.map(({ place }) => place.line)).toEqual([5, 7]);
  });

  test("a closing door whose sequence another door has takes nothing from the door it closes", () => {
    const fates = fatesOf(
      door("other", "1111,2222,3333", "/usr/bin/true"),
      door("open", "4444,5555,6666", "iptables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT"),
      door("close", "1111,2222,3333", "iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT"),
    );
    expect(fates.map(({ kind }) => kind)).toEqual(["run", "opens", "run"]);
  });

  test("any number of doors may share a sequence, and each still opens its port", () => {
    const ports = [22, 80, 443, 8080];
    const rule = (port: number) => `iptables -I INPUT -s %IP% -p tcp --dport ${port} -j ACCEPT`;
    const fates = fatesOf(...ports.map((port) => door(`to-${port}`, "1111,3333,2222", rule(port))));
    expect(fates.map(({ policy }) => policy?.matching)).toEqual(["Knockd", "Knockd", "Knockd", "Knockd"]);
    expect(fates.map(({ kind }) => kind)).toEqual(["opens", "opens", "opens", "opens"]);
  });

  test("doors beyond those that one agent takes are left out at once", { timeout: 60_000 }, () => {
    const doors = Array.from({ length: 4098 }, (_, at) => door(`d${at}`, `${1000 + at},20000`, "/usr/bin/true"));
    const fates = fatesOf(...doors);
    expect(fates.slice(4095).map(({ kind }) => kind)).toEqual(["run", "left-out", "left-out"]);
    expect(fates.at(-1)?.checks.join()).toContain("more than 4096 doors");
  });

  test("a faulty file is not converted, and every fault is told with its line", () => {
    const conversion = convertKnockdConf("[a]\nsequence = 70000\ncolour = red\n", { origin: "x", keepMatching: false });
    expect(conversion.kind === "faulty" && conversion.problems.map(({ code, place }) => [code, place.line])).toEqual([
      ["knockd-port", 2],
      ["knockd-syntax", 3],
    ]);
  });
});
