import { compile } from "../../src/policy/compile.ts";
import { longestText } from "../../src/policy/document.ts";
import { portKey } from "../../src/policy/port.ts";
import { isProblemCode } from "../../src/policy/problem-catalogue.ts";
import { plainOptions, policyText } from "../fake/policy-text.ts";
import { type FuzzTarget, promised } from "./fuzz-target.ts";
import { mutatedText, strangeText } from "./mutation.ts";
import type { Random } from "./random.ts";

/** Few decoys: drawing them costs more than all the rest, and their number is not what a text attacks. */
const few = "decoys: 2";
const texts = [
  policyText({ name: "ssh", knock: few }),
  policyText({
    name: "mail",
    knock: `${few}, within: 20s, tcpFlags: [syn, "!ack"]`,
    closedBy: "[8103, 7102, 9101/udp]",
  }),
  policyText({ name: "web", knock: `${few}, target: 192.0.2.10`, ports: "[80/tcp, 6000-6010/udp]", opensFor: "0s" }),
  policyText({ name: "six", knock: few, sources: '[10.0.0.0/8, "2001:db8::/32"]', steps: "[1/udp, 65535, 22]" }),
  [policyText({ name: "one", knock: few }), policyText({ name: "one", knock: few })].join("---\n"),
  "apiVersion: v1\nkind: List\nitems:\n- &a { apiVersion: knockgate.io/v1alpha1, kind: KnockSequence, metadata: *a }\n- *a\n",
  "kind: KnockNode\napiVersion: knockgate.io/v1alpha1\nspec: |\n  text\n",
] as const;

const words = [
  ..."---\n|...\n|- |? |: |&a |*a |[|]|{|}|||>-\n|!!set |!!binary |!<x> |%YAML 1.1\n|\t|\n|\n  |'|\"|#|<<: |~|null|.inf|0x16|022|1e3|1_000|2001-01-01".split(
    "|",
  ),
  ..."__proto__: |constructor|toString|spec:|metadata:|knock:|steps:|opens:|run: {opened: [a]}|matching: Knockd|decoys: 256".split(
    "|",
  ),
  ..."70000|0|-1|65536|22/tcp|22/sctp|1-65535|9-1|99999999999999999999|1ms|99999h|0s|::/0|::ffff:1.2.3.4|1.2.3.4/33|010.0.0.1|6443".split(
    "|",
  ),
] as const;

/** Policy files, from the text to what they compile to. */
export const policyTarget: FuzzTarget = {
  name: "policy",
  make: (random) => new TextEncoder().encode(text(random)),
  run: (input) => {
    const text = new TextDecoder().decode(input);
    const { policies, problems, guarded } = compile([{ origin: "a.yaml", format: "yaml", text }], plainOptions);
    const lines = text.split("\n").length;
    for (const { code, place, message } of problems) {
      promised(isProblemCode(code) && message.length < 2000, "a problem is one of the catalogue's, and short");
      const line = place.line ?? 0;
      promised(line >= 1 && line <= lines, `line ${line} of ${lines} is one of the text`);
      promised((place.column ?? 0) >= 1, "columns count from one");
    }
    const doors = new Set(guarded.map(portKey));
    for (const { opensBy, opens, name } of policies) {
      promised(opensBy.steps.length >= 1 && opensBy.steps.length <= 32, "a sequence has 1 to 32 steps");
      promised(!opensBy.steps.some((key) => doors.has(key)), "no step is guarded");
      promised(
        (opens?.ports ?? []).every((port) => doors.has(portKey(port))),
        "every door is guarded",
      );
      promised(/^[a-z0-9.-]+\/[a-z0-9.-]+$/.test(name), "a name is one that may be logged");
    }
    promised(Object.keys(Object.prototype).length === 0, "no text changes what all objects inherit");
  },
};

function text(random: Random): string {
  if (random.oneIn(20_000)) return random.pick(words).repeat(longestText / 16);
  if (random.oneIn(16)) return Array.from({ length: random.below(40) }, () => random.pick(words)).join("");
  if (random.oneIn(64)) return strangeText(random);
  return mutatedText(random.pick(texts), words, random);
}
