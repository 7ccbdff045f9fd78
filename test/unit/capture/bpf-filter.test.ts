import { describe, expect, test } from "vitest";
import { filterText, narrow, type Span, spansOf } from "../../../src/capture/bpf-filter.ts";
import { watchOf } from "../../fixture/capture-watch.ts";

const spans = (text: string): Span[] =>
  text.split(" ").map((span) => {
    const [first = 0, last = first] = span.split("-").map(Number);
    return { first, last };
  });

describe("ranges", () => {
  test("ports that touch become one range, each protocol for itself", () => {
    const { ports } = watchOf(["7001/tcp", "7000/tcp", "7003/tcp", "7002/udp", "65535/tcp", "1/udp"]);
    expect(spansOf(ports, "tcp")).toEqual(spans("7000-7001 7003 65535"));
    expect(spansOf(ports, "udp")).toEqual(spans("1 7002"));
  });

  test.each([
    { name: "few enough stay", most: 3, expected: "1 10-12 500" },
    { name: "the smallest gap is closed first", most: 2, expected: "1-12 500" },
    { name: "all in one", most: 1, expected: "1-500" },
  ])("$name", ({ most, expected }) => {
    expect(narrow(spans("1 10-12 500"), most)).toEqual(spans(expected));
  });

  test("none stay none", () => {
    expect(narrow([], 3)).toEqual([]);
  });
});

describe("the text", () => {
  test("on a link without tags it asks for family, protocol, flags and ports", () => {
    expect(filterText(watchOf(["7000/tcp", "9000/udp", "9001/udp"]), "other")).toBe(
      "((ip and ((tcp and (tcp[13] & 18 = 2 and (tcp[2:2] = 7000))) or (udp and (((udp[2:2] >= 9000 and udp[2:2] <= 9001)))))) or " +
        "(ip6 and ((ip6[6] = 6 and ip6[53] & 18 = 2 and (ip6[42:2] = 7000)) or " +
        "(ip6[6] = 17 and ((ip6[42:2] >= 9000 and ip6[42:2] <= 9001))) or " +
        "ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 51 or ip6[6] = 60 or ip6[6] = 135 or ip6[6] = 139 or ip6[6] = 140)))",
    );
  });

  test("flags that differ between sequences are not asked for", () => {
    const watch = { ...watchOf(["7000/tcp"]), flags: { must: 0, mustNot: 0 } };
    expect(filterText(watch, "other")).not.toContain("tcp[13]");
  });

  test("where most ports are watched only the protocol is asked for", () => {
    const watch = watchOf(Array.from({ length: 8000 }, (_, at) => `${1 + at * 8}/udp`));
    expect(filterText(watch, "ethernet").length).toBeLessThan(1500);
    expect(filterText(watch, "other")).toContain("(ip and ((udp)))");
  });

  test("nothing watched lets nothing through", () => {
    expect(filterText(watchOf([]), "other")).toBe("less 1");
  });

  test("its length is bounded whatever is watched", () => {
    const watch = watchOf(Array.from({ length: 3000 }, (_, at) => `${1 + at * 7}/${at % 2 === 0 ? "udp" : "tcp"}`));
    expect(filterText(watch, "ethernet").length).toBeLessThan(20_000);
  });
});
