import { describe, expect, test } from "vitest";
import { Hearing } from "../../../src/capture/hearing.ts";
import type { Drained } from "../../../src/capture/pcap-session.ts";

/** What a tap comes across: `woken packets`, `look nothing`… */
type Event = `${"woken" | "look"} ${Drained}`;

/** Why the tap is deaf after the events, told by the last of them alone. */
function play(events: readonly Event[]): readonly (string | undefined)[] {
  const hearing = new Hearing("eth0");
  return events.map((event) => {
    const [how, drained] = event.split(" ") as ["woken" | "look", Drained];
    return how === "woken" ? hearing.woken(drained) : hearing.looked(drained);
  });
}

describe("a tap hears", () => {
  test.each<{ name: string; events: Event[] }>([
    { name: "when nothing comes", events: ["look nothing", "look nothing", "look nothing"] },
    { name: "when it is woken by packets", events: ["look nothing", "woken packets", "woken packets", "look nothing"] },
    {
      name: "when it is woken in vain before the first look: frames from before the filter",
      events: ["woken nothing"],
    },
    {
      name: "when a look is now and then faster than the wake-up",
      events: ["look packets", "look nothing", "look packets"],
    },
    {
      name: "when looks find packets and wake-ups come between them",
      events: ["look packets", "woken packets", "look packets", "woken packets", "look packets"],
    },
  ])("$name", ({ events }) => {
    expect(play(events)).toEqual(events.map(() => undefined));
  });
});

describe("a tap is deaf", () => {
  test.each<{ name: string; events: Event[]; why: RegExp }>([
    { name: "when it is woken without a packet", events: ["look nothing", "woken nothing"], why: /the link went down/ },
    { name: "when a wake-up fails", events: ["woken failed"], why: /the link is gone/ },
    { name: "when a look fails", events: ["look failed"], why: /the link is gone/ },
    {
      name: "when two looks in a row find packets that woke nobody",
      events: ["look nothing", "woken packets", "look packets", "look packets"],
      why: /nobody is woken/,
    },
  ])("$name", ({ events, why }) => {
    const told = play(events);
    expect(told.slice(0, -1)).toEqual(told.slice(0, -1).map(() => undefined));
    expect(told.at(-1)).toMatch(why);
  });
});
