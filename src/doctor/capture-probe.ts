import { fileURLToPath } from "node:url";
import { CaptureProcess, childStarter } from "../capture/capture-process.ts";
import { checkMessage } from "../capture/child-messages.ts";
import type { Clock } from "../clock.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

/** How a capture child that was told to open these links fared. */
export type CaptureTrial =
  | {
      readonly kind: "ready";
      readonly failed: readonly string[];
      readonly kept: string | undefined;
      readonly libpcap: string | undefined;
    }
  | { readonly kind: "failed"; readonly message: string };

const watch = { ports: new Set<number>(), flags: { must: 0, mustNot: 0 }, extraTargets: [] };
/** Discards nearly everything in the kernel; what it lets through is read by nobody. */
const filter = "udp port 9 and ip host 192.0.2.255";

/**
 * Opens a capture as the agent would: in the real capture child, which loads libpcap, gives up root, and is ended. libpcap
 * is never loaded in this process.
 */
export function tryCapture(clock: Clock, names: readonly string[]): Promise<CaptureTrial> {
  return new Promise((resolve) => {
    const path = fileURLToPath(new URL("../capture/capture-child.js", import.meta.url));
    const taps = names.map((name) => ({ name, filter }));
    const none = () => undefined;
    const settle = (trial: CaptureTrial) => {
      child.kill();
      resolve(trial);
    };
    const child = new CaptureProcess(
      clock,
      childStarter(path),
      { kind: "open", taps, check: checkMessage(1, watch, []) },
      {
        records: { knock: none, traffic: none, discarded: none, ringFull: none },
        ready: ({ failed, kept, libpcap }) => settle({ kind: "ready", failed, kept, libpcap }),
        checked: none,
        faulty: (_, message) => settle({ kind: "failed", message }),
        ended: (_, message) => resolve({ kind: "failed", message }),
      },
    );
  });
}

/** What the trial says of libpcap and of the privileges of who reads packets. Pure. */
export function judgeCapture(trial: CaptureTrial): readonly Finding[] {
  if (trial.kind === "failed") {
    const mend =
      "run this as root or with NET_RAW; where libpcap cannot be loaded, install libpcap0.8 and run npm ci with this version of Node";
    return [problem("capture", trial.message || "no capture can be opened", mend)];
  }
  const opened = ok("capture", `libpcap ${trial.libpcap ?? "of unknown version"} opens a capture in a child process`);
  const failed = trial.failed.map((message) =>
    problem("capture", message, "leave this link out with --interface, or look at its state"),
  );
  const kept =
    trial.kept === undefined ? [] : [warning("capture", trial.kept, "give the service or container SETUID and SETGID")];
  return [opened, ...failed, ...kept];
}
