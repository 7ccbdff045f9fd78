import type { Reflector } from "../kubernetes/reflector.ts";
import type { KubeObject } from "../kubernetes/resource.ts";
import type { Watches, WatchListener } from "../kubernetes/watches.ts";

/** One watch of a source, and what its failures are called. */
interface Watched {
  readonly what: string;
  readonly reflector: Reflector;
  /** Whether the last time that the API was to be asked anew it could not be. */
  unconfirmed: boolean;
}

/** The watches of one source. Says when what they know is not to be believed as a whole. */
export class WatchedCopies {
  private readonly watches: Watches;
  private readonly watched: Watched[] = [];

  constructor(watches: Watches) {
    this.watches = watches;
  }

  /** Adds a watch before the start; `what` completes "… cannot be read". */
  add(what: string, make: (watches: Watches) => Reflector): void {
    this.watched.push({ what, reflector: make(this.watches), unconfirmed: false });
  }

  /** All objects that are known. */
  get objects(): readonly KubeObject[] {
    return this.watched.flatMap(({ reflector }) => [...(reflector.objects?.values() ?? [])]);
  }

  /**
   * One sentence for each watch that has never listed, or that could not when the API was to be asked anew. That the API cannot
   * be reached for a while is none: what is known goes on.
   */
  get failures(): readonly string[] {
    return this.watched.flatMap((watched) => {
      const { condition, objects } = watched.reflector;
      if (condition.kind === "current") watched.unconfirmed = false;
      if (objects !== undefined && !watched.unconfirmed) return [];
      const reason = condition.kind === "failing" ? condition.error.message : "the Kubernetes API does not answer";
      return [`${watched.what} cannot be read: ${reason}.`];
    });
  }

  /** Resolves when each watch has been answered once, or too slowly. */
  async start(): Promise<void> {
    await this.watches.firstLook(this.watched.map(({ reflector }) => reflector));
  }

  /** Asks the API anew. */
  async reread(): Promise<void> {
    for (const watched of this.watched) watched.unconfirmed = true;
    await this.watches.lookAgain(this.watched.map(({ reflector }) => reflector));
  }

  async close(): Promise<void> {
    await Promise.all(this.watched.map(({ reflector }) => reflector.stop()));
  }
}

/** A listener that says only that something is different. */
export function touching(touch: () => void): WatchListener {
  return { changed: touch, conditionChanged: touch };
}
