import { type Finding, ok, problem, warning } from "./finding.ts";

/** The four capabilities of an agent, by their number in linux/capability.h, and what stops without them. */
const needed = [
  { name: "NET_ADMIN", bit: 12, grave: true, without: "the firewall cannot be changed: nothing is guarded" },
  { name: "NET_RAW", bit: 13, grave: true, without: "no packet can be captured: no knock is seen" },
  { name: "SETUID", bit: 7, grave: false, without: "the capture child keeps its privileges while it reads packets" },
  { name: "SETGID", bit: 6, grave: false, without: "the capture child keeps its groups while it reads packets" },
] as const;

/** Which of the four are effective; `status` is the text of /proc/self/status, proc(5). Pure. */
export function judgeCapabilities(status: string | undefined): readonly Finding[] {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status ?? "")?.[1];
  if (mask === undefined)
    return [warning("capabilities", "/proc/self/status does not tell them", "mount /proc, and run this as root")];
  const effective = BigInt(`0x${mask}`);
  const missing = needed.filter(({ bit }) => (effective & (1n << BigInt(bit))) === 0n);
  if (missing.length === 0) return [ok("capabilities", `${needed.map(({ name }) => name).join(", ")} are effective`)];
  return missing.map(({ name, grave, without }) =>
    (grave ? problem : warning)(
      "capabilities",
      `${name} is not effective: ${without}`,
      `run it as root, or give the service or container ${name}`,
    ),
  );
}
