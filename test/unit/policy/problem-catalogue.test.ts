import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compile } from "../../../src/policy/compile.ts";
import type { ConfigText } from "../../../src/policy/document.ts";
import { problemCatalogue, problemReference } from "../../../src/policy/problem-catalogue.ts";
import type { SecretTrouble } from "../../../src/policy/secret-steps.ts";
import { objectText, plainSpec, secretSpec } from "../../fake/object-text.ts";
import { compilePolicies, compileTexts, plainOptions, policyText } from "../../fake/policy-text.ts";

const folder = new URL("../../fixture/policies/", import.meta.url).pathname;
const texts = ["bad", "good"].flatMap((kind) =>
  readdirSync(join(folder, kind)).map(
    (file): ConfigText => ({
      origin: `${kind}/${file}`,
      format: "yaml",
      text: readFileSync(join(folder, kind, file), "utf8"),
    }),
  ),
);

/** What takes options, other formats or sizes to go wrong, and so is in no file. */
function withoutFiles() {
  const run = policyText({ name: "run" }).concat("  run: { opened: [/bin/true] }\n");
  const knockdConf: ConfigText = {
    origin: "knockd.conf",
    format: "knockd-conf",
    text: `before = 1
[]
[nothing]
[word]
  sequence = 7000,8000
  verbose
[values]
  sequence = 70000
  sequence = 7000:icmp
  sequence = ${"7000,".repeat(32)}7000
  tcpflags = syn|ack
  target = 192.0.2.0/24
[once]
  one_time_sequences = missing
[used]
  one_time_sequences = used
[odd]
  sequence = 7000,,8000
  timeout = soon
  target = gate.example
  command = open %IP%
`,
    oneTimeFiles: { used: "#7000,8000\n" },
  };
  const webPage: ConfigText = {
    origin: "web.conf",
    format: "knockd-conf",
    text: `[ssh]
  sequence = 7000,8500,8000
  command = iptables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
  stop_command = iptables -D INPUT -s %IP% -p tcp \u2013dport 22 -j ACCEPT
`,
  };
  const large: ConfigText = { origin: "large.yaml", format: "yaml", text: "#".repeat((1 << 20) + 1) };
  const troubles = [
    "secret-not-read",
    "secret-not-kept",
    "secret-missing",
    "secret-key-missing",
    "secret-forbidden",
    "secrets-too-many",
  ];
  const secrets = troubles.map((code) => objectText(secretSpec, { kind: "trouble", code: code as SecretTrouble }));
  const noSteps = objectText(secretSpec, { kind: "text", text: "none of your business" });
  const elsewhere = objectText({ ...plainSpec, nodeSelector: { role: "bastion" }, run: { opened: ["/bin/true"] } });
  const standing = compilePolicies([{ name: "ssh" }]).policies;
  const served = [{ protocol: "tcp", port: 22 }] as const;
  return [
    compile([knockdConf, large], plainOptions),
    compile([...secrets, noSteps, elsewhere], plainOptions),
    compile([webPage], { ...plainOptions, allowCommands: true }),
    compileTexts([run]),
    compilePolicies([{ name: "ssh", opensFor: "never" }], { standing }),
    compilePolicies([{ name: "ssh" }], { served }),
    compileTexts([
      Array.from({ length: 60 }, (_, at) => `f${at}: 1\n`)
        .join("")
        .concat(policyText({ name: "ssh" })),
    ]),
    compileTexts(Array.from({ length: 4097 }, () => "apiVersion: knockgate.io/v1alpha1\nkind: KnockSequence\n")),
  ];
}

test("every problem that is reported is in the catalogue, and every entry is reported", () => {
  const compilations = [...texts.map((text) => compile([text], plainOptions)), ...withoutFiles()];
  const reported = new Set(compilations.flatMap(({ problems }) => problems.map(({ code }) => code)));
  expect([...reported].sort()).toEqual(Object.keys(problemCatalogue).sort());
});

test("the page has one row for each entry", () => {
  const rows = problemReference().match(/^\| `[a-z-]+` \|/gm) ?? [];
  expect(rows.map((row) => row.slice(3, -3))).toEqual(Object.keys(problemCatalogue));
});
