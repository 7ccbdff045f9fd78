import { type Finding, ok, problem, warning } from "./finding.ts";
import type { Answer } from "./inquiry.ts";

const oldestNft = [1, 0, 1] as const;
/** Below it a renewed element keeps its old timeout, which is worked around and measured less. */
const measuredKernel = [6, 12] as const;

/** The kernel's release, as uname(2) tells it: `6.18.44-amd64`. Pure. */
export function judgeKernel(release: string): Finding {
  const version = versionIn(release);
  if (version === undefined)
    return warning("kernel", `its version cannot be read from "${release}"`, "use Linux 6.12 or later");
  if (isBefore(version, measuredKernel))
    return warning(
      "kernel",
      `Linux ${release} is older than what Knockgate is measured on`,
      "use Linux 6.12 or later, or try it with --mode observe first",
    );
  return ok("kernel", `Linux ${release}`);
}

/** What `nft --version` answered: `nftables v1.0.6 (Lester Gooch #5)`. Pure. */
export function judgeNft(answer: Answer): Finding {
  const mend = "install the package nftables, 1.0.1 or later";
  const text = /\bv(\d+(?:\.\d+)+)/.exec(answer.stdout)?.[1];
  const version = versionIn(text ?? "");
  if (text === undefined || version === undefined)
    return problem("nft", answer.complaint || "nft does not tell its version", mend);
  if (isBefore(version, oldestNft)) return problem("nft", `nft ${text} does not understand the ruleset`, mend);
  return ok("nft", `nft ${text}`);
}

/** Whether this kernel and nft take the table that an agent would load: what `nft --check` said of it. Pure. */
export function judgeRuleset(answer: Answer): Finding {
  if (answer.status === 0)
    return ok("ruleset", "nftables takes the table that the agent would load (tried, not loaded)");
  return problem(
    "ruleset",
    `nftables refuses the table that the agent would load: ${answer.complaint.replace(/^\S*?:\d+:\d+(-\d+)?: (Error: )?/, "")}`,
    "run this as root with NET_ADMIN, with nft 1.0.1 or later, on a kernel with nf_tables, nft_ct and nft_fib_inet",
  );
}

function versionIn(text: string): readonly number[] | undefined {
  return /^\d+(\.\d+)+/.exec(text)?.[0].split(".").map(Number);
}

function isBefore(version: readonly number[], oldest: readonly number[]): boolean {
  const at = oldest.findIndex((part, index) => (version[index] ?? 0) !== part);
  return at >= 0 && (version[at] ?? 0) < (oldest[at] ?? 0);
}
