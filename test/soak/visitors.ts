import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../fuzz/random.ts";
import type { Door, DoorModel } from "./door-model.ts";
import type { SoakWorld } from "./soak-world.ts";
import type { Strangers } from "./strangers.ts";

/** What visitors have done and met. */
export interface VisitorCounts {
  right: number;
  closing: number;
  wrong: number;
  /** Tries that fell into an outage and were made again, as people do. */
  repeated: number;
  /** Right knocks, or closing ones, outside of any outage that did nothing. */
  readonly lost: string[];
}

/** A right knock opens within this; also while a table is put back. */
const patienceMs = 4000;
const againMs = 1000;
/** What is open until closed has more than this left. */
const longestMs = 1e9;
/** More than the longest outage. */
const mostTries = 40;

/** Knocks at random, rightly and wrongly, until it is told to stop. */
export class Visitor {
  readonly #world: SoakWorld;
  readonly #model: DoorModel;
  readonly #strangers: Strangers;
  readonly #random: Random;
  readonly #counts: VisitorCounts;

  constructor(world: SoakWorld, model: DoorModel, strangers: Strangers, random: Random, counts: VisitorCounts) {
    this.#world = world;
    this.#model = model;
    this.#strangers = strangers;
    this.#random = random;
    this.#counts = counts;
  }

  async run(ending: AbortSignal): Promise<void> {
    while (!ending.aborted) {
      if (this.#random.oneIn(4)) await this.#knockWrongly();
      else await this.#visit(ending);
      await pause(200 + this.#random.below(1500));
    }
  }

  /** Steps of a right knock in a wrong order, from an address that never knocks rightly. */
  async #knockWrongly(): Promise<void> {
    const knock = this.#strangers.draw(this.#random);
    if (knock === undefined) return;
    this.#counts.wrong++;
    await this.#send(knock.source, knock.steps);
    knock.done();
  }

  async #visit(ending: AbortSignal): Promise<void> {
    const door = this.#random.pick(this.#model.doors);
    // One address is one client: its knocks at several doors do not overlap.
    if (this.#model.doors.some(({ source, busy }) => busy && source === door.source)) return;
    door.busy = true;
    const { closedBy } = door.policy;
    const closes = closedBy !== undefined && door.open !== undefined && this.#random.oneIn(2);
    try {
      if (closes) await this.#close(door, closedBy, ending);
      else await this.#open(door, ending);
    } finally {
      door.busy = false;
    }
  }

  async #open(door: Door, ending: AbortSignal): Promise<void> {
    this.#counts.right++;
    const firstAt = performance.now();
    const isFresh = (left: number, knockedAt: number) =>
      left > Math.min(door.policy.openMs, longestMs) - (performance.now() - knockedAt) - 500;
    const opened = await this.#until(door, door.policy.steps, ending, (left, knockedAt) =>
      left.every((ms) => isFresh(ms, knockedAt)),
    );
    if (opened) this.#model.opened(door, firstAt);
  }

  async #close(door: Door, steps: readonly string[], ending: AbortSignal): Promise<void> {
    this.#counts.closing++;
    if (await this.#until(door, steps, ending, (left) => left.every((ms) => ms === 0))) this.#model.closed(door);
  }

  /** Knocks until the door is as wanted, again only where an outage may have taken the knock. */
  async #until(
    door: Door,
    steps: readonly string[],
    ending: AbortSignal,
    isDone: (leftMs: readonly number[], knockedAt: number) => boolean,
  ): Promise<boolean> {
    for (let tries = 0; tries < mostTries; tries++) {
      const fellIntoOutage = this.#model.watchForOutage();
      const knockedAt = performance.now();
      await this.#send(door.source, steps);
      while (performance.now() < knockedAt + patienceMs) {
        const granted = await this.#world.granted();
        const left = door.policy.ports.map((port) => granted.get(`${door.source} . ${port}`) ?? 0);
        if (this.#model.tableHolds && isDone(left, knockedAt)) return true;
        await pause(100);
      }
      if (!fellIntoOutage()) {
        this.#counts.lost.push(`${door.source} ${door.policy.name} ${steps === door.policy.steps ? "open" : "close"}`);
      } else this.#counts.repeated++;
      if (ending.aborted && tries > 2) return false;
      await pause(againMs);
    }
    throw new Error(
      `${door.source} gave up at ${door.policy.name}\n${this.#world.agent.process.lines.slice(-30).join("\n")}`,
    );
  }

  #send(source: string, steps: readonly string[]): Promise<void> {
    return this.#world.clients.knock(this.#world.target(source), steps, { sourceAddress: source });
  }
}
