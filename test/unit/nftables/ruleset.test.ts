import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { rulesetOf } from "../../../src/nftables/ruleset.ts";
import { renderRuleset } from "../../../src/nftables/table-plan.ts";
import { cidr, port, sampleSpec } from "../../fixture/ruleset-spec.ts";

const golden = (name: string) => readFileSync(new URL(`../../fixture/${name}`, import.meta.url), "utf8");

test.each([
  { name: "ruleset-enforce.nft", spec: sampleSpec() },
  { name: "ruleset-observe.nft", spec: sampleSpec({ mode: "observe" }) },
  { name: "ruleset-default-drop-refused.nft", spec: sampleSpec({ defaultDrop: true, closedAs: "refused" }) },
])("the text of $name is as reviewed", ({ name, spec }) => {
  expect(renderRuleset(spec)).toBe(golden(name));
});

describe("the ruleset", () => {
  test("has the same rules whatever is guarded, trusted or served", () => {
    const many = Array.from({ length: 1000 }, (_, at) => port(`${at + 1}/udp`));
    const large = rulesetOf(sampleSpec({ guarded: many, cutting: many, served: many, trusted: [cidr("0.0.0.0/1")] }));
    expect(large.rules).toEqual(rulesetOf(sampleSpec({ guarded: [] })).rules);
  });

  test("names a port once that two policies guard", () => {
    const { elements } = rulesetOf(sampleSpec({ guarded: [port("22/tcp"), port("22/tcp")] }));
    expect(elements.filter(({ set }) => set === "guarded")).toHaveLength(1);
  });

  test("bounds each granted set", () => {
    const { sets } = rulesetOf(sampleSpec({ maxGrants: 7 }));
    expect(sets.filter(({ size }) => size === 7).map(({ name }) => name)).toEqual(["granted4", "granted6"]);
  });

  test("never drops in observe mode", () => {
    const { rules } = rulesetOf(sampleSpec({ mode: "observe", defaultDrop: true, closedAs: "refused" }));
    expect(rules.filter(({ expression }) => /drop$|reject/.test(expression.replace("guarded_dropped", "")))).toEqual(
      [],
    );
  });
});
