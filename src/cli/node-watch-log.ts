import { z } from "zod";
import { type WatchEvent, watchEventKinds } from "../observability/watch-hub.ts";
import type { CommandIo, OutputFormat } from "./command-io.ts";
import { formatTable, printable } from "./table.ts";
import { describeEvent } from "./watch-line.ts";
import { judgeEvent, nothingSeen, type WatchVerdict, wordsOf } from "./watch-verdict.ts";

/** A line of `knockgate watch -o json`; what a newer agent says besides is left out. */
const eventLine = z.object({
  time: z.string(),
  kind: z.enum(watchEventKinds),
  source: z.string().optional(),
  policy: z.string().optional(),
  policies: z.array(z.string()).optional(),
  step: z.number().optional(),
  steps: z.number().optional(),
  closing: z.boolean().optional(),
  ports: z.array(z.string()).optional(),
  until: z.string().optional(),
  reason: z.string().optional(),
  count: z.number().optional(),
});

/** What one agent has told. */
interface Heard {
  /** Since it has said what it watches; false: it was not asked, or says nothing that can be read. */
  isHeard: boolean;
  /** Why it is not to be believed: it does not capture, or could not be asked (any longer). */
  trouble: string | undefined;
  /** By sequence, `namespace/name`; those of its node that take knocks from the source, and those that events were of. */
  readonly verdicts: Map<string, WatchVerdict>;
}

/** Joins what agents show of one source: each event as it comes, and at the end a verdict for each node and sequence. */
export class NodeWatchLog {
  private readonly output: OutputFormat;
  private readonly io: Pick<CommandIo, "stdout" | "stderr">;
  private readonly places = new Map<string, Heard>();

  constructor(output: OutputFormat, io: Pick<CommandIo, "stdout" | "stderr">) {
    this.output = output;
    this.io = io;
  }

  /** Whether any agent has answered. */
  get hasHeard(): boolean {
    return [...this.places.values()].some(({ isHeard }) => isHeard);
  }

  /** Takes one line of an agent. */
  hears(place: string, line: string): void {
    const event = eventOf(line);
    if (event === undefined) return this.failed(place, "it says what this version cannot read");
    const heard = this.at(place);
    heard.isHeard = true;
    if (event.kind === "watching") {
      heard.trouble = event.reason;
      for (const name of event.policies ?? []) heard.verdicts.set(name, nothingSeen);
    } else if (event.policy !== undefined) {
      const name = event.closing === true ? `${event.policy} (closing)` : event.policy;
      heard.verdicts.set(name, judgeEvent(heard.verdicts.get(name) ?? nothingSeen, event));
    }
    if (this.output === "json") this.io.stdout.write(`${JSON.stringify({ node: place, ...event })}\n`);
    else if (event.kind !== "watching") this.io.stdout.write(`${printable(place)}\t${describeEvent(event)}\n`);
  }

  /** An agent cannot be followed, or not any longer. */
  failed(place: string, why: string): void {
    this.at(place).trouble = why;
    this.io.stderr.write(`${printable(place)}: ${printable(why)}\n`);
  }

  /** Says of each node and sequence what came of it. */
  conclude(): void {
    const rows = [...this.places].sort(([one], [other]) => one.localeCompare(other)).flatMap(conclusionsOf);
    if (this.output === "json")
      for (const row of rows) this.io.stdout.write(`${JSON.stringify({ kind: "verdict", ...row })}\n`);
    else {
      const cells = rows.map(({ node, sequence, words }) => [node, sequence ?? "-", words]);
      this.io.stdout.write(`\n${formatTable(["NODE", "SEQUENCE", "WHAT CAME OF IT"], cells)}`);
    }
  }

  private at(place: string): Heard {
    const heard = this.places.get(place) ?? { isHeard: false, trouble: undefined, verdicts: new Map() };
    this.places.set(place, heard);
    return heard;
  }
}

function eventOf(line: string): (WatchEvent & { readonly policies?: readonly string[] | undefined }) | undefined {
  try {
    return eventLine.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined; // no JSON: the caller says so
  }
}

/** What is said of one node and sequence at the end; `sequence` is null where it concerns the whole node. */
interface Conclusion {
  readonly node: string;
  readonly sequence: string | null;
  readonly verdict: WatchVerdict["kind"] | "not-this-node" | "cannot-tell";
  readonly failedAt?: number | undefined;
  readonly steps?: number | undefined;
  readonly words: string;
}

function conclusionsOf([node, { isHeard, trouble, verdicts }]: readonly [string, Heard]): readonly Conclusion[] {
  const unsure = `cannot tell: ${trouble}`;
  if (verdicts.size === 0) {
    const words = "not this node: no sequence in force here takes a knock from this source";
    if (isHeard && trouble === undefined) return [{ node, sequence: null, verdict: "not-this-node", words }];
    return [{ node, sequence: null, verdict: "cannot-tell", words: unsure }];
  }
  return [...verdicts].map(([sequence, verdict]) => {
    if (verdict.kind === "no-knock" && trouble !== undefined)
      return { node, sequence, verdict: "cannot-tell", words: unsure } as const;
    const { kind, failedAt, steps } = verdict;
    return { node, sequence, verdict: kind, failedAt, steps, words: wordsOf(verdict) };
  });
}
