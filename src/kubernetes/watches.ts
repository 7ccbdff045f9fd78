import type { Clock } from "../clock.ts";
import type { ApiClient, Selection } from "./api-client.ts";
import { type Objects, Reflector } from "./reflector.ts";
import type { Condition, ReflectorReport, WatchedResource } from "./reflector-report.ts";
import { knockKinds, type ResourceKind } from "./resource.ts";

/** Who is told what a watch sees. */
export interface WatchListener {
  readonly changed: (objects: Objects) => void;
  readonly conditionChanged?: (condition: Condition) => void;
}

/** What all watches of an agent share. */
export interface WatchesOptions {
  readonly client: Pick<ApiClient, "list" | "watch">;
  readonly clock: Clock;
  /** From 0 to 1, 1 excluded. */
  readonly random: () => number;
  readonly report: ReflectorReport;
}

/** The kinds that are watched. */
const kinds: Readonly<Record<WatchedResource, ResourceKind>> = {
  knocksequences: knockKinds.knocksequences,
  configmaps: { group: "", version: "v1", plural: "configmaps" },
  secrets: { group: "", version: "v1", plural: "secrets" },
  nodes: { group: "", version: "v1", plural: "nodes" },
  knockgrants: knockKinds.knockgrants,
};

/** Whoever waits for a first look, at a start or at a new Secret, waits no longer than this for an API that does not answer. */
const firstLookMs = 5000;

/** Makes the watches of an agent, each a reflector that is still to be started. */
export class Watches {
  private readonly options: WatchesOptions;

  constructor(options: WatchesOptions) {
    this.options = options;
  }

  /** All objects of a namespace, or of all namespaces. */
  ofNamespace(resource: WatchedResource, namespace: string | undefined, listener: WatchListener): Reflector {
    return this.watch(resource, namespace ?? "*", { kind: kinds[resource], namespace }, listener);
  }

  /** One object by its name, the only way that RBAC by `resourceNames` allows. */
  ofObject(resource: WatchedResource, namespace: string | undefined, name: string, listener: WatchListener): Reflector {
    const scope = namespace === undefined ? name : `${namespace}/${name}`;
    const selection = { kind: kinds[resource], namespace, fieldSelector: `metadata.name=${name}` };
    return this.watch(resource, scope, selection, listener);
  }

  /** Starts them; resolves when each has been answered once, or when the API lets them wait too long. */
  async firstLook(reflectors: readonly Reflector[]): Promise<void> {
    await this.inTime(Promise.all(reflectors.map((reflector) => reflector.start())));
  }

  /** Asks the API anew; resolves as `firstLook` does. */
  async lookAgain(reflectors: readonly Reflector[]): Promise<void> {
    await this.inTime(Promise.all(reflectors.map((reflector) => reflector.relist())));
  }

  private watch(resource: WatchedResource, scope: string, selection: Selection, listener: WatchListener): Reflector {
    return new Reflector({ ...this.options, ...listener, selection, name: { resource, scope } });
  }

  private async inTime(done: Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.options.clock.after(firstLookMs, resolve);
      void done.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}
