import { LinkWatch } from "../capture/link-watch.ts";
import { LiveSource } from "../capture/live-source.ts";
import type { CaptureReport, LinkState, Watch } from "../capture/packet-source.ts";
import { type Clock, sleep, systemClock } from "../clock.ts";
import type { Finding } from "../hunt/finding.ts";
import type { Hunter } from "../hunt/hunter.ts";
import type { CommandIo, ExitCode, HuntArguments } from "./command-io.ts";
import { printFindings } from "./hunt-findings.ts";

/** How often findings are looked for, and how long others have to show that the port is open to everybody. */
const lookMs = 5000;
const settleMicros = 30e6;
/** Findings that were reported and are not reported again; the oldest may be. */
const mostReported = 10_000;

/** Every port of both protocols, to and from everybody. */
const everything: Watch = {
  ports: new Set(Array.from({ length: 131_072 }, (_, key) => key)),
  flags: { must: 0, mustNot: 0 },
  extraTargets: "everything",
};

/** Listens until interrupted and prints each finding once it has settled; 1 when there was one. */
export async function huntLive(hunter: Hunter, args: HuntArguments, io: CommandIo): Promise<ExitCode> {
  const clock: Clock = systemClock;
  const reported = new ReportedFindings(args, io);
  const warned = (message: string) => io.stderr.write(`${message}\n`);
  const links = new LinkWatch({ clock, warned });
  await links.start(() => undefined);
  const source = new LiveSource({
    interfaces: args.interfaces,
    clock,
    report: captureReport(io),
    links: bothWays(links),
  });
  await source.start(everything, (packet) => hunter.observe(packet));
  while (!io.interrupted.aborted) {
    await sleep(lookMs, io.interrupted);
    reported.add(hunter.findings(clock.nowMicros() - settleMicros));
  }
  await source.close();
  links.close();
  reported.add(hunter.findings());
  return reported.count === 0 ? 0 : 1;
}

/** Prints what was not printed before. */
class ReportedFindings {
  readonly #args: HuntArguments;
  readonly #io: CommandIo;
  readonly #known = new Set<string>();
  count = 0;

  constructor(args: HuntArguments, io: CommandIo) {
    this.#args = args;
    this.#io = io;
  }

  add(findings: readonly Finding[]): void {
    const news = findings.filter((finding) => !this.#known.has(keyOf(finding)));
    for (const finding of news) this.#known.add(keyOf(finding));
    for (const key of this.#known) if (this.#known.size > mostReported) this.#known.delete(key);
    this.count += news.length;
    printFindings(news, this.#args.output, this.#io);
  }
}

function keyOf({ kind, source, target, steps, opened }: Finding): string {
  return [kind, source, target, steps, opened].join(" ");
}

/** To the capture this host has no addresses of its own, so that what it sends is seen too. */
function bothWays(links: LinkWatch) {
  const everyones = (state: LinkState): LinkState => ({ ...state, localAddresses: [] });
  return {
    get state() {
      return links.state === undefined ? undefined : everyones(links.state);
    },
    subscribe: (listener: (state: LinkState) => void) => links.subscribe((state) => listener(everyones(state))),
  };
}

function captureReport(io: CommandIo): CaptureReport {
  const say = (text: string) => io.stderr.write(`${text}\n`);
  return {
    packets: () => {},
    dropped: (reason, count) => say(`${count} packets were lost (${reason}).`),
    discarded: () => {},
    restarted: () => {},
    capturing: (interfaces, waitingFor, trouble) => {
      if (interfaces.length > 0) say(`Listening on ${interfaces.join(", ")}.`);
      if (waitingFor.length > 0) say(`Waiting for ${waitingFor.join(", ")}.`);
      if (trouble !== undefined) say(trouble);
    },
    library: () => {},
    warned: say,
  };
}
