import { type Finding, ok, warning } from "./finding.ts";

/** Clocksources that are read without asking slow hardware. */
const quick: ReadonlySet<string> = new Set(["tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page"]);

/** From /sys/devices/system/clocksource and `timedatectl show`; undefined where nobody tells. Pure. */
export function judgeTimeSource(clocksource: string | undefined, synchronised: string | undefined): readonly Finding[] {
  const source =
    clocksource === undefined || quick.has(clocksource)
      ? ok("clock source", clocksource ?? "not told here")
      : warning(
          "clock source",
          `${clocksource} is slow to read, which limits how many packets a second are followed`,
          "use tsc or the clock of the hypervisor, if the hardware has one",
        );
  if (synchronised === "yes") return [source, ok("wall clock", "synchronised")];
  if (synchronised === "no")
    return [
      source,
      warning(
        "wall clock",
        "not synchronised: logs and audit records show a wrong time; doors are not concerned",
        "run chrony or systemd-timesyncd",
      ),
    ];
  return [source, ok("wall clock", "whether it is synchronised is not told here; doors do not depend on it")];
}
