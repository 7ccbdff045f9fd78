import { describe, expect, test } from "vitest";
import { drawDecoys } from "../../../src/policy/decoys.ts";
import { portOfKey } from "../../../src/policy/port.ts";
import { scannerPorts } from "../../../src/policy/scanner-ports.ts";
import { portKeys } from "../../fake/policies.ts";

const nothing = () => false;

function between(decoys: readonly number[], low: number, high: number): { odd: number; even: number } {
  const inside = decoys.filter((key) => key > low + 1 && key < high - 1);
  return { odd: inside.filter((key) => key % 2 === 1).length, even: inside.filter((key) => key % 2 === 0).length };
}

describe("decoys", () => {
  const steps = portKeys("7000 9000 8000");

  test("are the neighbours of each step and as many as asked, each once, ascending", () => {
    const decoys = drawDecoys(steps, 64, nothing);
    expect(decoys).toHaveLength(64 + 6);
    expect(decoys).toEqual([...new Set(decoys)].sort((one, other) => one - other));
    expect(decoys).toEqual(expect.arrayContaining(portKeys("6999 7001 7999 8001 8999 9001")));
  });

  test("are none at all where none are asked for", () => {
    expect(drawDecoys(steps, 0, nothing)).toEqual([]);
  });

  test("lie between every two steps, two odd and two even", () => {
    const decoys = drawDecoys(steps, 8, nothing);
    expect(between(decoys, 7000, 8000)).toEqual({ odd: 2, even: 2 });
    expect(between(decoys, 8000, 9000)).toEqual({ odd: 2, even: 2 });
    expect(decoys).toHaveLength(8 + 6);
  });

  test("reach every gap before any gets its second", () => {
    const decoys = drawDecoys(steps, 4, nothing);
    expect(between(decoys, 7000, 8000)).toEqual({ odd: 1, even: 1 });
    expect(between(decoys, 8000, 9000)).toEqual({ odd: 1, even: 1 });
  });

  test("do not fill a gap of the other protocol", () => {
    const decoys = drawDecoys(portKeys("7000/udp 8000/tcp 9000/udp"), 4, nothing);
    const inGap = decoys.filter((key) => portOfKey(key).protocol === "udp" && key % 65536 > 7001 && key % 65536 < 8999);
    expect(inGap).toHaveLength(4);
  });

  test("between contiguous steps there is no room, and the rest is drawn elsewhere", () => {
    const decoys = drawDecoys(portKeys("7000 7001 7002"), 64, nothing);
    expect(decoys).toHaveLength(64 + 2);
    expect(decoys).toEqual(expect.arrayContaining(portKeys("6999 7003")));
  });

  test("come half from the ports that scanners try first", () => {
    const usual = new Set(scannerPorts.tcp);
    const counts = Array.from({ length: 50 }, (_, at) => {
      const drawn = drawDecoys([20_000 + at], 256, nothing);
      return drawn.filter((key) => usual.has(key)).length;
    });
    for (const count of counts) expect(count).toBeGreaterThanOrEqual(128);
    for (const count of counts) expect(count).toBeLessThan(145);
  });

  test("are of the protocols of the steps, mixed alike", () => {
    const decoys = drawDecoys(portKeys("7000/udp 8000/tcp 9000/udp"), 64, nothing);
    const udp = decoys.filter((key) => portOfKey(key).protocol === "udp").length;
    expect(udp).toBeGreaterThan(decoys.length / 2);
    expect(udp).toBeLessThan(decoys.length * 0.8);
    expect(drawDecoys(steps, 64, nothing).every((key) => key < 65536)).toBe(true);
  });

  test("are never a step, nor forbidden", () => {
    const forbidden = new Set(portKeys("7001 7999 8001"));
    for (let port = 7100; port < 8900; port++) forbidden.add(port);
    const decoys = drawDecoys(steps, 256, (key) => forbidden.has(key));
    expect(decoys.filter((key) => forbidden.has(key) || steps.includes(key))).toEqual([]);
    expect(drawDecoys(steps, 256, () => true)).toEqual([]);
  });

  test("are the same every time, and others for other steps or another order", () => {
    const again = [...steps].reverse();
    expect(drawDecoys(steps, 64, nothing)).toEqual(drawDecoys([...steps], 64, nothing));
    expect(drawDecoys(again, 64, nothing)).not.toEqual(drawDecoys(steps, 64, nothing));
  });

  test("stay within 1 to 65535", () => {
    const decoys = drawDecoys(portKeys("1 65535 1/udp 65535/udp"), 256, nothing);
    expect(decoys).toEqual(expect.arrayContaining(portKeys("2 65534 2/udp 65534/udp")));
    for (const key of decoys) expect(portOfKey(key).port).toBeGreaterThan(0);
  });

  test("of a sequence that names one port again and again", () => {
    expect(drawDecoys(portKeys("7000 7000"), 4, nothing)).toHaveLength(6);
  });

  test("are enough for 32 steps", () => {
    const many = Array.from({ length: 32 }, (_, at) => 1000 + 50 * at);
    const decoys = drawDecoys(many, 64, nothing);
    expect(decoys).toHaveLength(64 + 64);
    for (let at = 0; at < 31; at++) {
      const { odd, even } = between(decoys, 1000 + 50 * at, 1050 + 50 * at);
      expect(odd + even).toBeGreaterThanOrEqual(2);
    }
  });
});

test("the ports that scanners try first are 1,000 of each protocol, ascending", () => {
  for (const ports of Object.values(scannerPorts)) {
    expect(ports).toHaveLength(1000);
    expect(ports).toEqual([...new Set(ports)].sort((one, other) => one - other));
  }
  expect(scannerPorts.tcp).toEqual(expect.arrayContaining([22, 80, 443, 3389]));
  expect(scannerPorts.udp).toEqual(expect.arrayContaining([53, 123, 161]));
});
