import { formatPort, type Port } from "../policy/port.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";
import type { ForeignChain, ForeignRule } from "./foreign-rules.ts";
import type { Answer } from "./inquiry.ts";

/** What becomes of a new connection to a port in one chain. */
type Fate = "passes" | "closed" | "perhaps closed";

const deepestJump = 8;
/** As many ports as are named in a line. */
const mostNamed = 5;

/**
 * In nftables a drop is final and an accept is not, so every chain that packets to this host go through must let a
 * guarded port pass; a knock opens nothing otherwise. Pure.
 */
export function judgeOtherTables(chains: readonly ForeignChain[], guarded: readonly Port[]): readonly Finding[] {
  const gates = chains.filter(({ hook, type }) => (hook === "prerouting" || hook === "input") && type === "filter");
  const findings = gates.flatMap((chain) => {
    const where = `table ${chain.family} ${chain.table}, chain ${chain.name}`;
    const mend = `accept the guarded ports there before anything drops them; Knockgate guards them`;
    const meeting = (fate: Fate) => guarded.filter((port) => fateIn(chain, port, chains) === fate);
    const [closed, perhaps] = [meeting("closed"), meeting("perhaps closed")];
    return [
      ...(closed.length > 0
        ? [problem("other tables", `${where} closes ${named(closed)}: no knock opens that`, mend)]
        : []),
      ...(perhaps.length > 0
        ? [warning("other tables", `${where} may close ${named(perhaps)} to some who knock`, mend)]
        : []),
    ];
  });
  return findings.length > 0 ? findings : [ok("other tables", "no other table of nftables closes a guarded port")];
}

/** No listing is a warning only: what other tables hold may be more than this nft understands. Pure. */
export function judgeNoListing(answer: Answer): Finding {
  const why = answer.complaint || "its listing cannot be read";
  return warning(
    "other tables",
    `they cannot be listed: ${why}`,
    "look with `nft list ruleset` for drops of guarded ports",
  );
}

/** Rules of ip_tables from before nftables: `iptables-legacy-save`, undefined where none are loaded. Pure. */
export function judgeLegacyTables(saved: string | undefined, guarded: readonly Port[]): Finding {
  if (saved === undefined) return ok("iptables-legacy", "no rules");
  const lines = saved.split("\n");
  const drops = lines.filter((line) => / -j (DROP|REJECT)\b/.test(line));
  const closed = guarded.filter((port) => drops.some((line) => namesPort(line, port)));
  const mend = "accept the guarded ports there";
  if (closed.length > 0) return problem("iptables-legacy", `it closes ${named(closed)}: no knock opens that`, mend);
  if (lines.some((line) => /^(:(INPUT|PREROUTING) DROP\b|-A (INPUT|PREROUTING) -j (DROP|REJECT)\b)/.test(line)))
    return warning(
      "iptables-legacy",
      "it drops what it does not accept: guarded ports may stay closed after a knock",
      mend,
    );
  return ok("iptables-legacy", "no rule drops a guarded port by name");
}

/** Whether a rule as iptables-save writes it is about the port: `-p tcp -m multiport --dports 20:23,80`. */
function namesPort(line: string, { protocol, port }: Port): boolean {
  const ranges = /(?<!!) --dports? (\S+)/.exec(line)?.[1]?.split(",") ?? [];
  return (
    line.includes(` -p ${protocol} `) &&
    ranges.some((range) => {
      const [first = 0, last = first] = range.split(":").map(Number);
      return first <= port && port <= last;
    })
  );
}

/** `22/tcp, 80/tcp and 3 more`. */
export function named(ports: readonly Port[]): string {
  const more = ports.length - mostNamed;
  return ports.slice(0, mostNamed).map(formatPort).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function fateIn(chain: ForeignChain, port: Port, all: readonly ForeignChain[]): Fate {
  const walk = new Walk(port, (name) =>
    all.find((one) => one.name === name && one.table === chain.table && one.family === chain.family),
  );
  const end = walk.through(chain, deepestJump);
  const verdict = end === "goes on" && chain.policy === "drop" ? "closed" : end;
  if (verdict === "closed") return walk.mayPass ? "perhaps closed" : "closed";
  return walk.mayClose && verdict === "goes on" ? "perhaps closed" : "passes";
}

/** Follows a new connection's packet through chains; remembers where it may have been decided by what cannot be known here. */
class Walk {
  mayPass = false;
  mayClose = false;
  readonly #port: Port;
  readonly #find: (chain: string) => ForeignChain | undefined;

  constructor(port: Port, find: (chain: string) => ForeignChain | undefined) {
    this.#port = port;
    this.#find = find;
  }

  through(chain: ForeignChain | undefined, depth: number): "passes" | "closed" | "goes on" {
    for (const rule of depth > 0 ? (chain?.rules ?? []) : []) {
      if (!rule.covers(this.#port)) continue;
      const end = this.#decided(rule, depth);
      if (end === "returns" && rule.certain) return "goes on";
      if (end === "passes" || end === "closed") {
        if (rule.certain) return end;
        if (end === "passes") this.mayPass = true;
        else if (rule.namesPorts) this.mayClose = true; // lists of unwanted sources are everywhere, and no fault
      }
    }
    return "goes on";
  }

  #decided({ verdict }: ForeignRule, depth: number): "passes" | "closed" | "returns" | "goes on" {
    switch (verdict.kind) {
      case "accept":
        return "passes";
      case "drop":
      case "reject":
        return "closed";
      case "return":
        return "returns";
      case "jump":
        return this.through(this.#find(verdict.chain), depth - 1);
      case "unknown":
        this.mayPass = true;
        return "goes on";
      case "none":
      case "notrack":
      case "source-nat":
      case "destination-nat":
        return "goes on";
      default:
        return verdict satisfies never;
    }
  }
}
