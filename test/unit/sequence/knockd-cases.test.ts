import { describe, expect, test } from "vitest";
import { type Command, commandText } from "../../../src/command/command.ts";
import { CommandQueue } from "../../../src/command/command-queue.ts";
import { DoorCommands } from "../../../src/command/door-commands.ts";
import { formatAddress } from "../../../src/policy/address.ts";
import { FakeClock } from "../../fake/fake-clock.ts";
import { type KnockdCase, knockdCases } from "../../fake/knockd-cases.ts";
import { addressOf, KnockdWorld } from "../../fake/knockd-world.ts";

const ended = { exitCode: 0, reason: undefined, output: "" };

/** Commands that do nothing, and the list of those that ran. */
function recordedCommands(clock: FakeClock) {
  const ran: string[] = [];
  const started = (command: Command) => void ran.push(commandText(command).replace(/^open /, ""));
  const report = { started, ended: () => {}, warned: () => {} };
  const start = () => ({ ended: Promise.resolve(ended), kill: () => {} });
  const commands = new DoorCommands({
    clock,
    queue: new CommandQueue({ clock, start, report }),
    file: { read: () => [], write: () => {} },
    grants: { grant: () => {} },
    report,
    neverGrants: [],
  });
  return { commands, ran };
}

/** `ssh 192.0.2.11 1`: a door, a source, and how often the command ran. */
async function openingsOf({ knockd_conf, files, packets, settle_ms = 400 }: KnockdCase): Promise<string[]> {
  const clock = new FakeClock();
  const { commands, ran } = recordedCommands(clock);
  const world = new KnockdWorld(knockd_conf, files, (completion) => commands.complete(completion));
  let nowMs = 0;
  for (const packet of packets) {
    await clock.advanceAsync(packet.at_ms - nowMs);
    nowMs = packet.at_ms;
    world.send(packet, 1_700_000_000_000_000);
    await Promise.resolve();
  }
  await clock.advanceAsync(settle_ms);
  return [...new Set(ran)].map((text) => `${text} ${ran.filter((other) => other === text).length}`).sort();
}

describe("a door opens and closes where knockd 0.8 does it, but for its defects", () => {
  test.each(knockdCases.cases.map((one) => ({ ...one, title: `${one.kind}: ${one.name}` })))("$title", async (one) => {
    const expected = one.expect.map(({ door, src, times }) => `${door} ${formatAddress(addressOf(src))} ${times}`);
    expect(await openingsOf(one)).toEqual(expected.sort());
  });
});
