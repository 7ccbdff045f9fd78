import { tcpFlag } from "../../src/decode/knock.ts";
import { parseCidr } from "../../src/policy/address.ts";
import type { Policy, Sequence } from "../../src/policy/policy.ts";
import { type PortKey, parsePort, portKey } from "../../src/policy/port.ts";

/** Everybody, of both families. */
export const everybody = ["0.0.0.0/0", "::/0"].flatMap((text) => parseCidr(text) ?? []);

/** Port keys of a text such as `7000 8000/udp 9000`. */
export function portKeys(text: string): PortKey[] {
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => {
      const port = parsePort(word);
      if (port === undefined) throw new Error(`not a port: ${word}`);
      return portKey(port);
    });
}

/** A sequence in tolerant matching that everybody may knock within 15 s; what is given replaces the rest. */
export function sequenceOf(steps: string, changes: Partial<Sequence> = {}): Sequence {
  return {
    policy: "00000001",
    action: "open",
    steps: portKeys(steps),
    withinMicros: 15_000_000,
    flags: { must: tcpFlag.syn, mustNot: tcpFlag.ack },
    matching: "Tolerant",
    decoys: [],
    target: undefined,
    sources: everybody,
    ...changes,
  };
}

/** A policy that opens 22/tcp for 30 s by the sequence. */
export function policyOf(name: string, opensBy: Sequence, closesBy?: Sequence): Policy {
  const fingerprint = JSON.stringify([opensBy.steps, opensBy.withinMicros, closesBy?.steps]);
  return {
    id: opensBy.policy,
    name,
    uid: undefined,
    opensBy,
    closesBy,
    opens: { ports: [{ protocol: "tcp", port: 22 }], forMicros: 30_000_000, established: "Keep", scope: "Node" },
    run: undefined,
    fingerprint,
  };
}
