import type { Clock, Timer } from "../clock.ts";
import { parseAddressList } from "./address-list.ts";
import { LinkFalls } from "./link-falls.ts";
import type { LinkState } from "./packet-source.ts";
import { type Following, ipCommand, type LinkCommands } from "./process-starter.ts";

/** Changes come in bursts: a link that comes up tells so several times. */
const settleMs = 50;
/** A change that `ip monitor` did not tell is found after this time. */
const rereadMs = 30_000;
/** After a failed read, or when `ip monitor` has ended. */
const retryMs = 1000;

/** Where the current links and addresses can be asked for and followed; what the capture needs of the link watch. */
export interface LinkStates {
  /** Undefined until the links were read for the first time. */
  readonly state: LinkState | undefined;
  /** Tells every change, and the current state at once where it is known. Returns what ends it. */
  subscribe(listener: (state: LinkState) => void): () => void;
}

/** What the link watch is given. */
export interface LinkWatchOptions {
  readonly clock: Clock;
  /** One sentence for the log when the links cannot be read; told once until they can be again. */
  readonly warned: (message: string) => void;
  readonly commands?: LinkCommands;
}

/**
 * Keeps this host's links and addresses current: `ip monitor` says that something has changed, `ip addr` is then read
 * whole, and once in a while without being told. What cannot be read leaves the last state in force. A link that was down
 * and is up again when the list is read shows in its `falls`.
 */
export class LinkWatch implements LinkStates {
  readonly #clock: Clock;
  readonly #warned: (message: string) => void;
  readonly #commands: LinkCommands;
  readonly #listeners = new Set<(state: LinkState) => void>();
  readonly #falls = new LinkFalls();
  #state: LinkState | undefined;
  #fingerprint = "";
  #following: Following | undefined;
  #timer: Timer | undefined;
  #followTimer: Timer | undefined;
  #reading: Promise<void> | undefined;
  #changedWhileReading = false;
  #faulty = false;
  #closed = false;

  constructor(options: LinkWatchOptions) {
    this.#clock = options.clock;
    this.#warned = options.warned;
    this.#commands = options.commands ?? ipCommand;
  }

  get state(): LinkState | undefined {
    return this.#state;
  }

  /** Resolves after the first read, also when it failed: it is then tried again every second. */
  async start(onChange: (state: LinkState) => void): Promise<void> {
    this.subscribe(onChange);
    this.#follow();
    await this.#read();
  }

  subscribe(listener: (state: LinkState) => void): () => void {
    this.#listeners.add(listener);
    if (this.#state !== undefined) listener(this.#state);
    return () => this.#listeners.delete(listener);
  }

  /** Idempotent; afterwards nothing is told any more. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#followTimer?.cancel();
    this.#following?.stop();
    this.#listeners.clear();
  }

  #follow(): void {
    const ended = () => {
      if (this.#closed) return;
      this.#followTimer = this.#clock.after(retryMs, () => {
        this.#follow();
        this.#readIn(0);
      });
    };
    this.#following = this.#commands.followChanges((printed) => {
      this.#falls.read(printed);
      this.#readIn(settleMs);
    }, ended);
  }

  #readIn(delayMs: number): void {
    if (this.#closed) return;
    if (this.#reading !== undefined) {
      this.#changedWhileReading = true;
      return;
    }
    this.#timer?.cancel();
    this.#timer = this.#clock.after(delayMs, () => void this.#read());
  }

  #read(): Promise<void> {
    this.#timer?.cancel();
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined;
      const again = this.#changedWhileReading;
      this.#changedWhileReading = false;
      this.#readIn(again ? settleMs : this.#faulty ? retryMs : rereadMs);
    });
    return this.#reading;
  }

  async #readOnce(): Promise<void> {
    const output = await this.#commands.readAddresses().catch((error: Error) => error);
    if (this.#closed) return;
    if (output instanceof Error) return this.#failed(`${output.message.split("\n")[0]}; is iproute2 installed?`);
    const listed = parseAddressList(output);
    if (listed === undefined) return this.#failed("`ip -j addr show` printed something that is no list of links.");
    this.#faulty = false;
    const state = this.#withFalls(listed);
    const fingerprint = JSON.stringify([state.links, state.localAddresses.map((address) => [...address])]);
    if (fingerprint === this.#fingerprint) return;
    this.#fingerprint = fingerprint;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }

  #withFalls(state: LinkState): LinkState {
    this.#falls.keep(new Set(state.links.map(({ index }) => index)));
    return { ...state, links: state.links.map((link) => ({ ...link, falls: this.#falls.of(link.index) })) };
  }

  #failed(reason: string): void {
    if (!this.#faulty) this.#warned(`Cannot read this host's links and addresses: ${reason}`);
    this.#faulty = true;
  }
}
