import { parseAddress, parseCidr } from "../../src/policy/address.ts";
import type { Established, Policy, Scope, Sequence } from "../../src/policy/policy.ts";
import { parsePort, portKey } from "../../src/policy/port.ts";

/** What a test says of a policy; the rest is the default of the resource. */
export interface SamplePolicy {
  name?: string;
  /** As an object of the Kubernetes API has it. */
  uid?: string;
  scope?: Scope;
  steps?: readonly string[];
  closedBy?: readonly string[];
  ports?: readonly string[];
  forSeconds?: number;
  withinSeconds?: number;
  established?: Established;
  sources?: readonly string[];
  target?: string;
  decoys?: readonly string[];
  flags?: { must: number; mustNot: number };
}

/** Compiles a policy for a test of the stages behind `policy`; wrong text throws. */
export function samplePolicy(sample: SamplePolicy = {}): Policy {
  const name = `default/${sample.name ?? "ssh"}`;
  const id = Buffer.from(name).toString("hex").slice(-8);
  const sequence = (action: "open" | "close", steps: readonly string[]): Sequence => ({
    policy: id,
    action,
    steps: steps.map(key),
    withinMicros: (sample.withinSeconds ?? 15) * 1e6,
    flags: sample.flags ?? { must: 0x02, mustNot: 0x10 },
    matching: "Tolerant",
    decoys: (sample.decoys ?? []).map(key),
    target: sample.target === undefined ? undefined : must(parseAddress(sample.target)),
    sources: (sample.sources ?? ["0.0.0.0/0", "::/0"]).map((text) => must(parseCidr(text))),
  });
  return {
    id,
    name,
    uid: sample.uid,
    opensBy: sequence("open", sample.steps ?? ["7000/udp", "8000/tcp", "9000/udp"]),
    closesBy: sample.closedBy === undefined ? undefined : sequence("close", sample.closedBy),
    opens: {
      ports: (sample.ports ?? ["22/tcp"]).map((text) => must(parsePort(text))),
      forMicros: (sample.forSeconds ?? 30) * 1e6,
      established: sample.established ?? "Keep",
      scope: sample.scope ?? "Node",
    },
    run: undefined,
    fingerprint: JSON.stringify(sample),
  };
}

function key(text: string): number {
  return portKey(must(parsePort(text)));
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a test's text cannot be read");
  return value;
}
