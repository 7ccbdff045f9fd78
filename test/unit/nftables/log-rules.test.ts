import { expect, test } from "vitest";
import { renderLogRules } from "../../../src/nftables/log-rules.ts";
import { parsePort, portKey } from "../../../src/policy/port.ts";

const ports = new Set(
  ["9000/udp", "7000/tcp", "7000/udp"].map((text) => portKey(parsePort(text) ?? expect.fail(text))),
);
const usual = { ports, flags: { must: 0x02, mustNot: 0x10 }, prefix: "portknock" };

test("the rules that log knocks are as reviewed", async () => {
  await expect(renderLogRules(usual)).toMatchFileSnapshot("../../fixture/log-rules.nft");
});

test.each([
  { name: "one flag", flags: { must: 0x02, mustNot: 0 }, rule: "tcp flags & (syn) != syn return" },
  {
    name: "two flags",
    flags: { must: 0x03, mustNot: 0x10 },
    rule: "tcp flags & (fin | syn | ack) != (fin | syn) return",
  },
  { name: "none of them", flags: { must: 0, mustNot: 0x12 }, rule: "tcp flags & (syn | ack) != 0x0 return" },
  { name: "policies that differ", flags: { must: 0, mustNot: 0 }, rule: undefined },
])("only what may be a knock is logged: $name", ({ flags, rule }) => {
  const text = renderLogRules({ ...usual, flags });
  if (rule === undefined) expect(text).not.toContain("tcp flags");
  else expect(text).toContain(`    ${rule}\n`);
});

test("a prefix that ends in a blank has one", () => {
  expect(renderLogRules({ ...usual, prefix: "knock: " })).toContain('log prefix "knock: " flags');
});
