import { expect, test } from "vitest";
import { serviceNumber } from "../../../src/cli/knock-target.ts";

/** As /etc/services has it: name, port/protocol, aliases, remark. */
const services = ["# services", "ssh\t\t22/tcp\t\t# secure", "domain 53/tcp", "domain 53/udp", "http 80/tcp www"].join(
  "\n",
);

test.each([
  { portText: "ssh", protocol: "tcp", port: 22 },
  { portText: "domain", protocol: "udp", port: 53 },
  { portText: "www", protocol: "tcp", port: 80 },
  { portText: "ssh", protocol: "udp", port: undefined },
  { portText: "secure", protocol: "tcp", port: undefined },
] as const)("$portText by $protocol is $port", ({ portText, protocol, port }) => {
  expect(serviceNumber(services, { portText, protocol })).toBe(port);
});
