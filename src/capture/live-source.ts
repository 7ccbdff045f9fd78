import { fileURLToPath } from "node:url";
import type { Clock, Timer } from "../clock.ts";
import type { Knock } from "../decode/knock.ts";
import { BackOff } from "./back-off.ts";
import { filterText } from "./bpf-filter.ts";
import { CaptureProcess, type CaptureProcessEvents, type ChildStarter, childStarter } from "./capture-process.ts";
import { checkMessage, type TapMessage } from "./child-messages.ts";
import type { LinkStates } from "./link-watch.ts";
import type { CaptureReport, LinkState, PacketSource, RestartCause, Watch } from "./packet-source.ts";
import { RecentPackets } from "./recent-packets.ts";
import { planTaps, type Tap } from "./taps.ts";

/** What the live source is given. */
export interface LiveSourceOptions {
  /** Names, `any`, or empty for every link that is up and leads outside. */
  readonly interfaces: readonly string[];
  readonly clock: Clock;
  readonly report: CaptureReport;
  /** The links as they are; the owner starts and closes it. */
  readonly links: LinkStates;
  /** The compiled capture-child; beside this file unless told otherwise. */
  readonly childPath?: string;
  /** Instead of a real child, in tests. */
  readonly starter?: ChildStarter;
}

/** What one child was opened for; another plan needs another child. */
interface Assignment {
  readonly taps: readonly Tap[];
  readonly messages: readonly TapMessage[];
  readonly fingerprint: string;
}

/** A child and what it is for. */
interface Employed {
  readonly process: CaptureProcess;
  readonly assignment: Assignment;
  /** The interfaces that it could open; undefined until it is ready. */
  opened: readonly string[] | undefined;
  /** The newest watch in force there. */
  version: number;
}

/** A link that cannot be opened though it is up is tried again this often, until the links change. */
const mostPartialStarts = 5;

/**
 * Knocks from this host's links. A capture child does the capturing; this side decides when there must be another one:
 * when it died, hangs, lost its link, or when links or filter changed. The new child captures before the old one ends, and a
 * packet that both have seen counts once, so that nothing is lost and nothing doubled.
 *
 *     current   delivers                    dies, hangs -> a new one after the back-off
 *     next      starting, until it is ready; then it becomes current and the old one finishes
 */
export class LiveSource implements PacketSource {
  readonly #options: LiveSourceOptions;
  readonly #starter: ChildStarter;
  readonly #backOff = new BackOff();
  readonly #recent = new RecentPackets((Math.random() * 2 ** 32) >>> 0);
  readonly #leaving = new Set<Promise<void>>();
  #watch: Watch | undefined;
  #receive: (knock: Knock) => void = () => undefined;
  #version = 0;
  #current: Employed | undefined;
  #next: Employed | undefined;
  #retry: Timer | undefined;
  #unsubscribe: () => void = () => undefined;
  #waiters: { readonly version: number; readonly resolve: () => void }[] = [];
  #told = new Set<string>();
  /** How the last child ended, until another one captures. */
  #trouble: string | undefined;
  #capturing = "";
  #everStarted = false;
  #partialStarts = 0;
  #closed = false;

  constructor(options: LiveSourceOptions) {
    this.#options = options;
    this.#starter =
      options.starter ??
      childStarter(options.childPath ?? fileURLToPath(new URL("./capture-child.js", import.meta.url)));
  }

  /**
   * Resolves when the first knock can be seen; also when no interface is there to be tapped, or the first try failed:
   * `capturing` then says so, and it is tried again.
   */
  start(watch: Watch, receive: (knock: Knock) => void): Promise<void> {
    this.#receive = receive;
    const inForce = this.update(watch);
    this.#unsubscribe = this.#options.links.subscribe(() => {
      this.#partialStarts = 0;
      this.#reconcile("link", true);
    });
    return inForce;
  }

  update(watch: Watch): Promise<void> {
    this.#watch = watch;
    this.#version++;
    const inForce = new Promise<void>((resolve) => this.#waiters.push({ version: this.#version, resolve }));
    this.#reconcile("reload", true);
    return inForce;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unsubscribe();
    this.#dismissAll();
    this.#settle(Number.POSITIVE_INFINITY);
    await Promise.all(this.#leaving);
  }

  /** Compares what should be captured with what is, and takes the smallest step there. `changed`: the check too may be old. */
  #reconcile(cause: RestartCause, changed: boolean): void {
    const state = this.#options.links.state;
    if (this.#closed || this.#watch === undefined || state === undefined) return;
    const plan = planTaps(state, this.#options.interfaces);
    if (plan.taps.length === 0) this.#stopAll();
    else if (this.#next === undefined) {
      const assignment = assign(plan.taps, this.#watch);
      if (this.#current?.assignment.fingerprint !== assignment.fingerprint)
        this.#employ(assignment, sameTaps(this.#current?.assignment, assignment) ? cause : "link");
    }
    if (changed) this.#sendCheck();
    this.#tellCapturing();
  }

  /** Nothing is there to be tapped: there is nothing to wait for either. */
  #stopAll(): void {
    this.#trouble = undefined;
    this.#dismissAll();
    this.#settle(this.#version);
  }

  #dismissAll(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
    const employed = [this.#current, this.#next];
    this.#current = undefined;
    this.#next = undefined;
    for (const one of employed) if (one !== undefined) this.#dismiss(one);
  }

  #sendCheck(): void {
    const check = this.#check();
    for (const employed of [this.#current, this.#next])
      if (employed !== undefined && check !== undefined) employed.process.check(check);
  }

  #check() {
    const { state } = this.#options.links;
    if (this.#watch === undefined || state === undefined) return undefined;
    return checkMessage(this.#version, this.#watch, state.localAddresses);
  }

  /** Starts a child beside the current one, now. While a back-off runs, the child that follows it serves. */
  #employ(assignment: Assignment, cause: RestartCause): void {
    const check = this.#check();
    if (check === undefined || (this.#retry !== undefined && this.#current === undefined)) return;
    this.#retry?.cancel();
    this.#retry = undefined;
    if (this.#everStarted) this.#options.report.restarted(cause);
    this.#everStarted = true;
    const open = { kind: "open", taps: assignment.messages, check } as const;
    const process = new CaptureProcess(
      this.#options.clock,
      this.#starter,
      open,
      this.#events(() => employed),
    );
    const employed: Employed = { process, assignment, opened: undefined, version: 0 };
    this.#next = employed;
  }

  #events(self: () => Employed): CaptureProcessEvents {
    const { report } = this.#options;
    return {
      records: {
        knock: (knock) => (this.#recent.isRepeat(knock) ? report.discarded("duplicate", 1) : this.#receive(knock)),
        discarded: (reason, count) => report.discarded(reason, count),
        ringFull: (count) => report.dropped("ring_full", count),
        traffic: ({ link, packets, kernelDrops, interfaceDrops }) => {
          report.packets(self().assignment.taps[link]?.name ?? "unknown", packets);
          if (kernelDrops > 0) report.dropped("kernel", kernelDrops);
          if (interfaceDrops > 0) report.dropped("interface", interfaceDrops);
        },
      },
      ready: ({ opened, failed, kept, libpcap }) => {
        if (libpcap !== undefined) this.#options.report.library(libpcap);
        for (const sentence of kept === undefined ? failed : [...failed, kept]) this.#warnOnce(sentence);
        this.#promote(self(), opened);
      },
      checked: (version) => this.#checked(self(), version),
      faulty: (cause, message) => this.#faulty(self(), cause, message),
      ended: (cause, message) => this.#ended(self(), cause, message),
    };
  }

  /** A sentence that would come with every child is said once. */
  #warnOnce(sentence: string): void {
    if (this.#told.has(sentence) || this.#told.size >= 100) return;
    this.#told.add(sentence);
    this.#options.report.warned(sentence);
  }

  /** The new child sees everything from now on: the old one hands over what came before. */
  #promote(employed: Employed, opened: readonly string[]): void {
    if (this.#next !== employed) return;
    const before = this.#current;
    this.#current = employed;
    this.#next = undefined;
    this.#trouble = undefined;
    employed.opened = opened;
    if (before !== undefined) this.#dismiss(before);
    if (opened.length === employed.assignment.taps.length) this.#partialStarts = 0;
    else if (++this.#partialStarts <= mostPartialStarts) this.#retryIn(employed, "link");
    this.#tellCapturing();
    this.#reconcile("reload", false);
    this.#settleInForce();
  }

  #checked(employed: Employed, version: number): void {
    employed.version = version;
    this.#settleInForce();
  }

  /** A watch is in force when the current child applies it and no other child is on its way for its sake. */
  #settleInForce(): void {
    if (this.#current !== undefined && this.#next === undefined) this.#settle(this.#current.version);
  }

  #settle(version: number): void {
    const done = this.#waiters.filter((waiter) => waiter.version <= version);
    this.#waiters = this.#waiters.filter((waiter) => waiter.version > version);
    for (const { resolve } of done) resolve();
  }

  /** The child serves on, as well as it can, until another one is ready. */
  #faulty(employed: Employed, cause: RestartCause, message: string): void {
    this.#options.report.warned(message);
    if (employed === this.#next) {
      this.#trouble = message; // told with the state from now on, should nobody else be capturing
      this.#tellCapturing();
      employed.process.kill();
    } else if (this.#next === undefined && employed === this.#current) this.#employ(employed.assignment, cause);
  }

  #ended(employed: Employed, cause: RestartCause, message: string): void {
    const wasCurrent = employed === this.#current;
    if (this.#closed || (!wasCurrent && employed !== this.#next)) return;
    if (wasCurrent) this.#current = undefined;
    else this.#next = undefined;
    this.#trouble = `${message} Another one follows.`;
    this.#options.report.warned(this.#trouble);
    this.#tellCapturing();
    if (!wasCurrent) this.#settle(this.#version);
    if (this.#next === undefined) this.#retryIn(employed, cause);
  }

  /** Another child after the back-off, though the plan is the same. */
  #retryIn(before: Employed, cause: RestartCause): void {
    const livedMicros = this.#options.clock.nowMicros() - before.process.startedMicros;
    this.#retry?.cancel();
    this.#retry = this.#options.clock.after(this.#backOff.after(livedMicros), () => {
      this.#retry = undefined;
      if (this.#current === before && this.#next === undefined) this.#employ(before.assignment, cause);
      else this.#reconcile(cause, false);
    });
  }

  #dismiss(employed: Employed): void {
    const gone = employed.process.finish().finally(() => this.#leaving.delete(gone));
    this.#leaving.add(gone);
  }

  /**
   * What was asked for by name and is not there, or is there and not captured yet: the child that will is on its way. A link
   * that was made again has the same name, but who captured the one before does not capture it.
   */
  #missing(state: LinkState, opened: readonly string[]): readonly string[] {
    const { interfaces } = this.#options;
    const { taps, waitingFor } = planTaps(state, interfaces);
    if (this.#current === undefined || interfaces.length === 0) return waitingFor;
    const captured = this.#current.assignment.taps.filter(({ name }) => opened.includes(name)).map(identityOf);
    const untapped = new Set(taps.filter((tap) => !captured.includes(identityOf(tap))).map(({ name }) => name));
    return [...new Set(interfaces)].filter((name) => waitingFor.includes(name) || untapped.has(name));
  }

  #tellCapturing(): void {
    const { state } = this.#options.links;
    const waitingFor =
      state === undefined ? this.#options.interfaces : this.#missing(state, this.#current?.opened ?? []);
    const opened = (this.#current?.opened ?? []).filter((name) => !waitingFor.includes(name));
    const trouble = this.#current === undefined ? this.#trouble : undefined;
    const text = JSON.stringify([opened, waitingFor, trouble]);
    if (text === this.#capturing) return;
    this.#capturing = text;
    this.#options.report.capturing(opened, waitingFor, trouble);
  }
}

function sameTaps(before: Assignment | undefined, after: Assignment): boolean {
  return before === undefined || JSON.stringify(before.taps) === JSON.stringify(after.taps);
}

/** The same text for the same link, as long as it was not down. */
function identityOf({ name, index, falls }: Tap): string {
  return `${name} ${index} ${falls}`;
}

function assign(taps: readonly Tap[], watch: Watch): Assignment {
  const messages = taps.map((tap) => ({ name: tap.name, filter: filterText(watch, tap.kind) }));
  return { taps, messages, fingerprint: JSON.stringify([taps, messages]) };
}
