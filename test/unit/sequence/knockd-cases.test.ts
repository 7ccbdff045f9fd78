import { describe, expect, test } from "vitest";
import { formatAddress } from "../../../src/policy/address.ts";
import { type KnockdCase, knockdCases } from "../../fake/knockd-cases.ts";
import { addressOf, isSix, KnockdWorld } from "../../fake/knockd-world.ts";

/** `ssh 192.0.2.11 1`, by what the start command says. */
async function openingsOf({ knockd_conf, files, packets }: KnockdCase): Promise<string[]> {
  const world = new KnockdWorld(knockd_conf, files);
  for (const packet of packets) {
    world.send(packet, 1_700_000_000_000_000);
    await Promise.resolve();
  }
  const counts = new Map<string, number>();
  for (const { policy, source } of world.completions) {
    const command = String((isSix(source) ? policy.run?.openedV6 : policy.run?.opened) ?? "");
    if (command === "") continue;
    const opening = `${command.split(" ")[1]} ${formatAddress(source)}`;
    counts.set(opening, (counts.get(opening) ?? 0) + 1);
  }
  return [...counts].map(([opening, times]) => `${opening} ${times}`).sort();
}

describe("a door opens where knockd 0.8 opens it, but for its defects", () => {
  test.each(knockdCases.cases.map((one) => ({ ...one, title: `${one.kind}: ${one.name}` })))("$title", async (one) => {
    const opened = one.expect.filter(({ door }) => !door.endsWith(".stop"));
    const expected = opened.map(({ door, src, times }) => `${door} ${formatAddress(addressOf(src))} ${times}`);
    expect(await openingsOf(one)).toEqual(expected.sort());
  });
});
