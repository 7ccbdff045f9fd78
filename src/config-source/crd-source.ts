import type { Clock } from "../clock.ts";
import type { KubeObject } from "../kubernetes/resource.ts";
import { type SecretName, SecretReader } from "../kubernetes/secret-reader.ts";
import type { Watches } from "../kubernetes/watches.ts";
import type { ObjectText } from "../policy/document.ts";
import { concernOf, type NodeLabels } from "../policy/node-selector.ts";
import { type SecretKey, secretKeyOf } from "../policy/secret-steps.ts";
import type { ConfigSource, Snapshot } from "./config-source.ts";
import { SnapshotStream } from "./snapshot-stream.ts";
import { touching, WatchedCopies } from "./watched-copies.ts";

/** What the source of KnockSequences works with. */
export interface CrdSourceOptions {
  readonly watches: Watches;
  readonly clock: Clock;
  /** Whose objects are read; undefined: all namespaces'. */
  readonly namespaces: readonly string[] | undefined;
  /** This node's labels as they are now; undefined where nobody knows them. */
  readonly nodeLabels: () => NodeLabels | undefined;
  /**
   * Told all objects, those for other nodes and their status too, whenever one has changed; `isWhole`: the list of no namespace is
   * missing.
   */
  readonly seen?: (objects: readonly KubeObject[], isWhole: boolean) => void;
}

/**
 * KnockSequences of the Kubernetes API, with what the Secrets hold that those for this node name. The oldest comes first, so that
 * of two that cannot stand beside each other the older stays; the uid decides between two of one second.
 */
export class CrdSource implements ConfigSource {
  readonly name = "crd";
  readonly origin: string;
  private readonly nodeLabels: () => NodeLabels | undefined;
  private readonly seen: (objects: readonly KubeObject[], isWhole: boolean) => void;
  private readonly copies: WatchedCopies;
  private readonly secrets: SecretReader;
  private readonly stream: SnapshotStream;

  constructor({ watches, clock, namespaces, nodeLabels, seen = () => {} }: CrdSourceOptions) {
    this.origin = namespaces?.join() ?? "*";
    this.nodeLabels = nodeLabels;
    this.seen = seen;
    this.stream = new SnapshotStream(clock, () => this.compose());
    this.secrets = new SecretReader(watches, () => this.stream.touch());
    this.copies = new WatchedCopies(watches);
    const listener = touching(() => this.stream.touch());
    for (const namespace of namespaces ?? [undefined]) {
      const where = namespace === undefined ? "all namespaces" : `namespace ${namespace}`;
      const make = () => watches.ofNamespace("knocksequences", namespace, listener);
      this.copies.add(`The KnockSequences of ${where}`, make);
    }
  }

  async start(deliver: (snapshot: Snapshot) => void): Promise<void> {
    await this.copies.start();
    await this.stream.begin(deliver);
  }

  async reread(): Promise<void> {
    await this.copies.reread(); // a Secret takes no policy away, and its watch tells of it
    await this.stream.now();
  }

  /** Other policies may be this node's business now, and other Secrets needed. */
  labelsChanged(): void {
    this.stream.touch();
  }

  async close(): Promise<void> {
    const delivered = this.stream.close();
    await Promise.all([this.copies.close(), this.secrets.close()]); // which ends what a snapshot waits for
    await delivered;
    await this.secrets.close();
  }

  private async compose(): Promise<Snapshot> {
    const objects = [...this.copies.objects].sort(byAge);
    this.seen(objects, this.copies.failures.length === 0);
    const labels = this.nodeLabels();
    const references = new Map(objects.flatMap((object) => referenceOf(object, labels)));
    await this.secrets.use([...references.values()].map(({ secret }) => secret));
    const documents = objects.map((object): ObjectText => {
      const reference = references.get(object);
      const text = objectText(object);
      if (reference === undefined) return text;
      return { ...text, secret: this.secrets.read(reference.secret, reference.key) };
    });
    return { documents, failures: this.copies.failures };
  }
}

interface Reference {
  readonly secret: SecretName;
  readonly key: SecretKey["key"];
}

/** The Secret that a policy of this node names; none or one. */
function referenceOf(
  object: KubeObject,
  labels: NodeLabels | undefined,
): readonly (readonly [KubeObject, Reference])[] {
  const named = secretKeyOf(object);
  if (named === undefined || concernOf(object, labels) !== "here") return [];
  const secret = { namespace: object.metadata.namespace ?? "", name: named.name };
  return [[object, { secret, key: named.key }]];
}

/** Only what people write: a status that changes is no news. */
export function objectText(object: KubeObject): ObjectText {
  const { metadata, spec } = object as KubeObject & { readonly spec?: unknown };
  const { namespace = "", name, uid = "", generation = 0 } = metadata;
  return {
    origin: `KnockSequence ${namespace}/${name}`,
    format: "object",
    object: { namespace, name, uid, generation },
    value: { apiVersion: "knockgate.io/v1alpha1", kind: "KnockSequence", metadata: { namespace, name }, spec },
  };
}

function byAge(one: KubeObject, other: KubeObject): number {
  const [born, otherBorn] = [one.metadata.creationTimestamp ?? "", other.metadata.creationTimestamp ?? ""];
  const [uid, otherUid] = [one.metadata.uid ?? "", other.metadata.uid ?? ""];
  if (born !== otherBorn) return born < otherBorn ? -1 : 1;
  return uid < otherUid ? -1 : Number(uid > otherUid);
}
