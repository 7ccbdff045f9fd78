import type { NodeLabels } from "../policy/node-selector.ts";
import type { Objects, Reflector } from "./reflector.ts";
import type { Watches } from "./watches.ts";

/**
 * The labels of this agent's node, which may change while it runs. Once known they stay, whatever happens to the watch or to
 * the Node object: what is guarded must not depend on the API being there.
 */
export class NodeWatch {
  private readonly watches: Watches;
  private readonly reflector: Reflector;
  private readonly changed: () => void;
  private known: NodeLabels | undefined;
  private knownUid: string | undefined;

  /** `remembered`: what was known before, until the API says something else. `changed` is called when labels differ. */
  constructor(watches: Watches, node: string, changed: () => void, remembered?: NodeLabels) {
    this.watches = watches;
    this.changed = changed;
    this.known = remembered;
    this.reflector = watches.ofObject("nodes", undefined, node, { changed: (objects) => this.take(objects) });
  }

  /** Undefined where nobody has said so far. */
  get labels(): NodeLabels | undefined {
    return this.known;
  }

  /** Of the Node object; undefined before it was seen. */
  get uid(): string | undefined {
    return this.knownUid;
  }

  /** Resolves when the API has been asked once, or does not answer. */
  async start(): Promise<void> {
    await this.watches.firstLook([this.reflector]);
  }

  async close(): Promise<void> {
    await this.reflector.stop();
  }

  private take(objects: Objects): void {
    const [node] = objects.values();
    if (node === undefined) return;
    this.knownUid = node.metadata.uid;
    const labels = Object.freeze({ ...node.metadata.labels });
    if (this.known !== undefined && textOf(labels) === textOf(this.known)) return;
    this.known = labels;
    this.changed();
  }
}

function textOf(labels: NodeLabels): string {
  return JSON.stringify(Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1)));
}
