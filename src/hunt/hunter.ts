import type { Packet } from "../decode/packet.ts";
import type { Finding } from "./finding.ts";
import { type Flow, formatStep } from "./flow.ts";
import { type HuntWindows, preludeOf } from "./prelude.ts";
import { RecentMap } from "./recent-map.ts";
import { isRegular } from "./rhythm.ts";
import { type Evidence, judge } from "./score.ts";
import { type Occurrence, type OpenedPort, Suspicion } from "./suspicion.ts";
import { addressKey, type Opening, Traffic } from "./traffic.ts";

/** How the hunt goes. */
export interface HuntOptions {
  readonly windows: HuntWindows;
  /** What scores less is no finding. */
  readonly minimumScore: number;
}

/** Steps may lie 20 s apart; a person connects within a minute of knocking. */
export const defaultWindows: HuntWindows = { stepMicros: 20e6, openMicros: 60e6 };

/** Suspicions remembered at once; at most twice as many. */
const mostSuspicions = 32_768;

/** A system sends a SYN again after one and after three seconds; who knocks does not wait so long. */
const patientPackets = 3;

/** A single packet calls a host back soon, or it was not that packet. */
const callbackMicros = 30e6;

/**
 * Looks for port knocking in traffic. Feed it packets in the order of their capture; what is suspected is judged when it is
 * asked for, by all that was seen until then: later visitors may show that a port is open to everybody. Memory is bounded.
 */
export class Hunter {
  readonly #windows: HuntWindows;
  readonly #minimumScore: number;
  readonly #traffic: Traffic;
  readonly #suspicions = new RecentMap<Suspicion>(mostSuspicions);

  constructor({ windows, minimumScore }: HuntOptions) {
    this.#windows = windows;
    this.#minimumScore = minimumScore;
    this.#traffic = new Traffic(windows.openMicros + windows.stepMicros * 4, {
      opened: (opening) => this.#opened(opening),
      triedAgain: (peer, before, flow) => {
        const prelude = preludeOf(peer.flows, before, this.#windows);
        const isKnock = prelude !== "scan" && prelude.length > 0;
        flow.afterDenial = before.afterDenial || !isKnock;
        flow.failedKnocks = before.failedKnocks + (isKnock ? 1 : 0);
      },
    });
  }

  /** Pairs of hosts that had to be forgotten for want of room. */
  get forgotten(): number {
    return this.#traffic.forgotten;
  }

  observe(packet: Packet): void {
    this.#traffic.observe(packet);
  }

  /** What is a finding by now and began before this time (as the packets' `atMicros`), the highest score first. */
  findings(untilMicros = Number.POSITIVE_INFINITY): Finding[] {
    const sources = this.#sourcesOfSteps();
    return [...this.#suspicions.values()]
      .filter((each) => each.begunMicros < untilMicros)
      .flatMap((each) => this.#finding(each, sources.get(patternKey(each))?.size ?? 1) ?? [])
      .sort((one, other) => other.score - one.score || one.firstStamp - other.firstStamp);
  }

  #opened({ source, target, sourceKey, peer, flow, service }: Opening): void {
    const prelude = preludeOf(peer.flows, flow, this.#windows);
    if (prelude === "scan" || prelude.length === 0) service.admittedPlainly(sourceKey);
    else {
      const plainBefore = service.admittedAfterProbes(sourceKey, patternOf(prelude));
      this.#suspect({ isCallback: false, source, target, opening: flow, steps: prelude, plainBefore });
    }
    if (flow.carrier === "syn" && peer.connections === 0) this.#connectedOut({ source, target, flow });
  }

  /** A host connects for the first time to somebody: had that one sent it something odd just before? */
  #connectedOut({ source: host, target: caller, flow }: Pick<Opening, "source" | "target" | "flow">): void {
    const probes = this.#traffic.peer(caller, host)?.flows;
    if (probes === undefined) return;
    const windows = { stepMicros: this.#windows.stepMicros, openMicros: callbackMicros };
    const steps = preludeOf(probes, { ...flow, port: -1 }, windows);
    if (steps === "scan" || steps.length === 0) return;
    this.#suspect({ isCallback: true, source: caller, target: host, opening: flow, steps, plainBefore: false });
  }

  #suspect(occurrence: Occurrence): void {
    const key = `${occurrence.isCallback}${addressKey(occurrence.source)}${patternKey(occurrence)}`;
    this.#suspicions.getOrMake(key, () => new Suspicion(occurrence)).add(occurrence);
  }

  /** Who used the same steps on the same host. */
  #sourcesOfSteps(): ReadonlyMap<string, ReadonlySet<string>> {
    const sources = new Map<string, Set<string>>();
    for (const suspicion of this.#suspicions.values()) {
      const known = sources.get(patternKey(suspicion)) ?? new Set();
      sources.set(patternKey(suspicion), known.add(addressKey(suspicion.source)));
    }
    return sources;
  }

  /** Judges each port that was open afterwards by itself; the highest score is the finding's. */
  #finding(suspicion: Suspicion, sources: number): Finding | undefined {
    const { source, target, firstStamp, lastStamp, times } = suspicion;
    const unserved = suspicion.steps.filter((step) => !this.#isServed(target, step));
    const irregular = unserved.filter((step) => !this.#isHealthCheck(suspicion, step));
    const isScheduled = irregular.length === 0;
    const steps = isScheduled ? unserved : irregular;
    if (steps.length === 0) return undefined;
    const judged = suspicion.opened
      .map((opened) => ({ opened, ...judge(this.#evidence({ suspicion, steps, opened, sources, isScheduled })) }))
      .filter(({ score }) => score >= this.#minimumScore)
      .sort((one, other) => other.score - one.score);
    const best = judged[0];
    if (best === undefined) return undefined;
    return {
      kind: suspicion.kindOf(steps),
      source,
      target,
      steps: steps.map(formatStep),
      opened: judged.map(({ opened }) => formatStep(opened.step)),
      firstStamp,
      lastStamp,
      times,
      score: best.score,
      reasons: best.reasons,
    };
  }

  #evidence({ suspicion, steps, opened, sources, isScheduled }: Judged): Evidence {
    const { source, target, times, isExact } = suspicion;
    const service = this.#traffic.service(target, opened.step.carrier, opened.step.port);
    const { isAfterDenial, isPlainBefore, failedKnocks } = opened;
    return {
      kind: suspicion.kindOf(steps),
      carriers: steps.map(({ carrier }) => carrier),
      opened: formatStep(opened.step),
      times,
      sources,
      isExact,
      isPatient: steps.every(({ packets }) => packets >= patientPackets),
      isScheduled,
      isAfterDenial,
      isPlainBefore,
      failedKnocks,
      deniedOthers: service?.deniedOthers(addressKey(source)) ?? 0,
      otherKnockers: service?.otherKnockers(addressKey(source), patternOf(suspicion.steps)) ?? 0,
      plainOthers: service?.plainOthers(addressKey(source)) ?? 0,
      silentTargets: this.#traffic.reach(source).silent,
      dialed: this.#traffic.reach(target).targets,
    };
  }

  #isHealthCheck({ source, target }: Suspicion, step: Flow): boolean {
    if (isRegular(step)) return true;
    return this.#traffic.service(target, step.carrier, step.port)?.isRegularFor(addressKey(source)) ?? false;
  }

  /** A port that ever let somebody in is a service that was down for a while, and no step. */
  #isServed(target: Suspicion["target"], step: Flow): boolean {
    if (step.answered) return true;
    if (step.carrier === "icmp" || step.carrier === "odd-flags") return false; // knocks on open ports too
    return (this.#traffic.service(target, step.carrier, step.port)?.admissions ?? 0) > 0;
  }
}

/** One port that was open after one suspicion's steps. */
interface Judged {
  readonly suspicion: Suspicion;
  /** Those that count. */
  readonly steps: readonly Flow[];
  readonly opened: OpenedPort;
  readonly sources: number;
  readonly isScheduled: boolean;
}

function patternOf(steps: readonly Flow[]): string {
  return steps.map(formatStep).join(" ");
}

/** Host and steps. */
function patternKey({ target, steps }: Pick<Suspicion, "target" | "steps">): string {
  return addressKey(target) + patternOf(steps);
}
