import { setTimeout as pause } from "node:timers/promises";

/** How long to go on asking, and what for: the words of the error when it never comes true. */
export interface Patience {
  readonly what: string;
  /** Default 10,000. */
  readonly timeoutMs?: number;
  /** Between two questions; default 20. */
  readonly everyMs?: number;
}

/** Asks until the answer is something other than undefined or false, and resolves to it; rejects when time is up. */
export async function eventually<T>(ask: () => Promise<T | undefined | false>, patience: Patience): Promise<T> {
  const endsAt = performance.now() + (patience.timeoutMs ?? 10_000);
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > endsAt) throw new Error(`waited in vain for ${patience.what}`);
    await pause(patience.everyMs ?? 20);
  }
}
