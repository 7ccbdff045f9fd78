/** A line of a log that the kernel wrote, as far as the line tells. */
export interface LogEntry {
  /** The kernel's stamp, microseconds since boot (printk's local_clock); undefined where the format has none. */
  readonly kernelMicros: number | undefined;
  /** What the kernel said. */
  readonly message: string;
}

/**
 * The lines that are read. The kernel's own are those of facility 0, where there is a priority, and of the tag `kernel`, where
 * there is one (RFC 5424, 6.2.1 and 6.2.5; systemd.journal-fields(7); Documentation/ABI/testing/dev-kmsg of Linux):
 *
 *     RFC 5424    <4>1 2026-11-25T17:00:00.123456+00:00 host kernel - - - [17415.975104] MESSAGE
 *     RFC 3164    <4>Nov 25 17:00:00 host kernel: [17415.975104] MESSAGE      stamp as here, or as above; files have no <4>
 *     dmesg       [17415.975104] MESSAGE      with -r <4>[17415.975104] MESSAGE      with -x kern  :warn  : [17415.975104] MESSAGE
 *     /dev/kmsg   4,9480,17415975104,-;MESSAGE
 *     journal     {"_TRANSPORT":"kernel","SYSLOG_FACILITY":"0","_SOURCE_MONOTONIC_TIMESTAMP":"17415975104","MESSAGE":"MESSAGE",…}
 */
export function readLogEntry(line: string): LogEntry | undefined {
  if (line.startsWith("{")) return readJournal(line);
  const device = /^(\d{1,3}),\d+,(\d{1,15}),[^;]*;(.*)$/.exec(line);
  if (device !== null) return isKernel(device[1]) ? entry(Number(device[2]), device[3]) : undefined;
  const [, priority, bare] = /^(?:<(\d{1,3})>)?(.*)$/s.exec(line) ?? [];
  if (!isKernel(priority)) return undefined;
  const { seconds, micros, bareSeconds, bareMicros, message } = kernelText.exec(bare ?? "")?.groups ?? {};
  const whole = seconds ?? bareSeconds;
  return message === undefined
    ? undefined
    : entry(whole === undefined ? undefined : Number(whole) * 1e6 + Number(micros ?? bareMicros), message);
}

const header =
  /(?:1 )?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[\d:.,]+(?:Z|[+-]\d\d:?\d\d)) \S+ kernel(?::| \S+ \S+ -) +/;
/** What stands behind the priority: a header, with a stamp or without, or what dmesg prints. */
const kernelText = new RegExp(
  `^(?:${header.source}\ufeff?(?:\\[ *(?<seconds>\\d{1,9})\\.(?<micros>\\d{6})\\] )?|` +
    "(?:kern *:\\w+ *: )?\\[ *(?<bareSeconds>\\d{1,9})\\.(?<bareMicros>\\d{6})\\] )(?<message>.*)$",
  "s",
);

/** Priorities below 8 are the kernel's; only the kernel can give them to a message (printk; devkmsg_write makes others 8 and more). */
function isKernel(priority: string | undefined): boolean {
  return priority === undefined || Number(priority) < 8;
}

function entry(kernelMicros: number | undefined, message = ""): LogEntry {
  return { kernelMicros, message };
}

/** journald's own fields begin with an underscore, and no client can set them. A message that is no UTF-8 is a list of bytes. */
function readJournal(line: string): LogEntry | undefined {
  try {
    const fields = JSON.parse(line) as Readonly<Record<string, unknown>>;
    const { _TRANSPORT: transport, SYSLOG_FACILITY: facility, MESSAGE: message } = fields;
    if (transport !== "kernel" || facility !== "0" || typeof message !== "string") return undefined;
    const stamp = Number(fields._SOURCE_MONOTONIC_TIMESTAMP);
    return entry(Number.isSafeInteger(stamp) && stamp > 0 ? stamp : undefined, message);
  } catch {
    return undefined; // cut, or no JSON: not a line that journalctl wrote
  }
}
