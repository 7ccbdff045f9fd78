import { readdirSync, readFileSync } from "node:fs";

/** `nobody`; the name need not exist. */
const nobody = 65534;

/**
 * Becomes nobody for good, in all threads (glibc carries setuid to every thread, nptl(7)), and with it loses every
 * capability (capabilities(7), "Effect of user ID changes on capabilities"). Returns what is left: undefined when nothing
 * is, else a sentence. Where SETUID and SETGID are missing the calls fail with EPERM; the capture then goes on as it is.
 */
export function giveUpRoot(): string | undefined {
  try {
    process.setgroups?.([]);
    process.setgid?.(nobody);
    process.setuid?.(nobody);
  } catch (error) {
    return `The capture keeps its privileges (${(error as Error).message}): give the container SETUID and SETGID, or run the agent as root.`;
  }
  const kept = keptCapabilities();
  return kept === undefined ? undefined : `The capture became nobody and still has ${kept}.`;
}

/** Every thread's own account of itself in proc(5): no capability may be left in any set that counts. */
function keptCapabilities(): string | undefined {
  for (const thread of readdirSync("/proc/self/task")) {
    const status = readFileSync(`/proc/self/task/${thread}/status`, "utf8");
    for (const line of status.split("\n")) {
      if (/^Cap(Prm|Eff|Inh|Amb):\s*0*[1-9a-f]/.test(line)) return line.replace(/\s+/g, " ");
      if (
        /^[UG]id:/.test(line) &&
        line
          .split(/\s+/)
          .slice(1)
          .some((id) => id !== String(nobody))
      )
        return line.replace(/\s+/g, " ");
    }
  }
  return undefined;
}
