import type { Objects, Reflector } from "../kubernetes/reflector.ts";
import type { KubeObject } from "../kubernetes/resource.ts";
import type { Watches } from "../kubernetes/watches.ts";
import type { GrantAddress } from "./grant-address.ts";
import { isEnding, type ReadGrant, readGrant } from "./grant-object.ts";

export interface GrantCopiesOptions {
  readonly watches: Pick<Watches, "ofNamespace">;
  /** Whose grants are read; undefined: all namespaces'. */
  readonly namespaces: readonly string[] | undefined;
  /** What there is has changed. */
  readonly changed: () => void;
  /** The API has answered again. */
  readonly current: () => void;
  readonly warned: (message: string) => void;
}

/** What is known of every KnockGrant of the agent's namespaces. Each object is read once, however often others change. */
export class GrantCopies {
  private readonly options: GrantCopiesOptions;
  private readonly reflectors = new Map<string | undefined, Reflector>();
  private readonly read = new WeakMap<KubeObject, ReadGrant | "unreadable">();
  /** What every grant there is says, by uid; made anew with each change. */
  private byUid: ReadonlyMap<string, ReadGrant> = new Map();

  constructor(options: GrantCopiesOptions) {
    this.options = options;
    for (const namespace of options.namespaces ?? [undefined]) {
      const reflector = options.watches.ofNamespace("knockgrants", namespace, {
        changed: () => this.changed(),
        conditionChanged: ({ kind }) => {
          if (kind === "current") options.current();
        },
      });
      this.reflectors.set(namespace, reflector);
    }
  }

  /** Does not wait for an answer: doors of other nodes open as soon as they are known. */
  start(): void {
    for (const reflector of this.reflectors.values()) void reflector.start();
  }

  async close(): Promise<void> {
    await Promise.all([...this.reflectors.values()].map((reflector) => reflector.stop()));
  }

  /** Every grant that can be read. */
  get grants(): Iterable<ReadGrant> {
    return this.byUid.values();
  }

  /** Whether that very grant is there. */
  has({ uid }: GrantAddress): boolean {
    return this.byUid.has(uid);
  }

  /** Whether the grants of a namespace are known completely, or were before the API was lost. */
  isListed(namespace: string): boolean {
    return this.objectsOf(namespace) !== undefined;
  }

  private objectsOf(namespace: string): Objects | undefined {
    return (this.reflectors.get(namespace) ?? this.reflectors.get(undefined))?.objects;
  }

  private changed(): void {
    const grants = new Map<string, ReadGrant>();
    for (const reflector of this.reflectors.values()) {
      for (const object of reflector.objects?.values() ?? []) {
        const grant = this.readOnce(object);
        if (grant !== undefined) grants.set(grant.uid, grant);
      }
    }
    this.byUid = grants;
    this.options.changed();
  }

  private readOnce(object: KubeObject): ReadGrant | undefined {
    let grant = this.read.get(object);
    if (grant === undefined) {
      grant = readGrant(object) ?? "unreadable";
      this.read.set(object, grant);
      if (grant === "unreadable" && !isEnding(object)) this.tellUnreadable(object);
    }
    return grant === "unreadable" ? undefined : grant;
  }

  private tellUnreadable({ metadata: { namespace, name } }: KubeObject): void {
    this.options.warned(`KnockGrant ${namespace}/${name} opens nothing: this version cannot read it`);
  }
}
