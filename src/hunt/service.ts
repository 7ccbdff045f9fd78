import type { Flow } from "./flow.ts";
import { isRegular, keepRhythm } from "./rhythm.ts";

/** How many sources a service remembers of each sort: enough to tell a gate from a service open to all. */
const mostSources = 24;

/**
 * Who tried one port of one host and who was let in. Fixed memory, however many come: the last few of each sort.
 */
export class Service {
  readonly #tries: { readonly source: string; flow: Flow }[] = [];
  readonly #plain: string[] = [];
  readonly #knockers: { readonly source: string; readonly pattern: string }[] = [];
  /** Connections that were accepted, of anybody. */
  admissions = 0;

  /** A source knocks at this port itself. Returns what it had tried last, if that was not answered. */
  tried(source: string, flow: Flow): Flow | undefined {
    const known = this.#tries.find((each) => each.source === source);
    if (known === undefined) {
      if (this.#tries.length === mostSources) this.#tries.splice(this.#leastTelling(), 1);
      this.#tries.push({ source, flow });
      return undefined;
    }
    const before = known.flow;
    known.flow = flow;
    keepRhythm(before, flow);
    return before.answered ? undefined : before;
  }

  /** Who got in is remembered elsewhere; else the oldest try gives way. */
  #leastTelling(): number {
    return Math.max(
      0,
      this.#tries.findIndex(({ flow }) => flow.answered),
    );
  }

  /** A source was let in without having probed anything. Whoever probed before is known and proves nothing. */
  admittedPlainly(source: string): void {
    this.admissions++;
    if (this.#plain.includes(source) || this.#knockers.some((each) => each.source === source)) return;
    if (this.#plain.length === mostSources) this.#plain.shift();
    this.#plain.push(source);
  }

  /** A source was let in after probes elsewhere, named by their pattern. Returns whether it had been let in without them before. */
  admittedAfterProbes(source: string, pattern: string): boolean {
    this.admissions++;
    if (this.#plain.includes(source)) return true;
    if (this.#knockers.some((each) => each.source === source && each.pattern === pattern)) return false;
    if (this.#knockers.length === mostSources) this.#knockers.shift();
    this.#knockers.push({ source, pattern });
    return false;
  }

  /** Whether this source tries the port as regularly as a health check. */
  isRegularFor(source: string): boolean {
    return this.#tries.some((each) => each.source === source && isRegular(each.flow));
  }

  /** How many others found the port closed or silent, of those remembered. */
  deniedOthers(source: string): number {
    return this.#tries.filter((each) => each.source !== source && !each.flow.answered).length;
  }

  /** How many others were let in without probing, of those remembered. */
  plainOthers(source: string): number {
    return this.#plain.filter((each) => each !== source).length;
  }

  /** How many others were let in after other probes than these, of those remembered. */
  otherKnockers(source: string, pattern: string): number {
    return this.#knockers.filter((each) => each.source !== source && each.pattern !== pattern).length;
  }
}
