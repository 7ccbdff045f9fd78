import type { Clock } from "../clock.ts";
import type { KubeObject } from "../kubernetes/resource.ts";
import type { Watches } from "../kubernetes/watches.ts";
import { isConfigName } from "./config-files.ts";
import type { ConfigDocument, ConfigSource, Snapshot } from "./config-source.ts";
import { SnapshotStream } from "./snapshot-stream.ts";
import { touching, WatchedCopies } from "./watched-copies.ts";

/** A ConfigMap by its name. */
export interface ConfigMapName {
  readonly namespace: string;
  readonly name: string;
}

/** Policies in one ConfigMap, read over the API: its keys are texts as the files of a folder are. That it does not exist is a failure, as with a file. */
export class ConfigMapSource implements ConfigSource {
  readonly name: string;
  private readonly configMap: ConfigMapName;
  private readonly copies: WatchedCopies;
  private readonly stream: SnapshotStream;

  constructor(options: { readonly watches: Watches; readonly clock: Clock; readonly configMap: ConfigMapName }) {
    const { watches, clock, configMap } = options;
    const { namespace, name } = configMap;
    this.configMap = configMap;
    this.name = `configmap ${namespace}/${name}`;
    this.stream = new SnapshotStream(clock, () => this.compose());
    this.copies = new WatchedCopies(watches);
    const listener = touching(() => this.stream.touch());
    this.copies.add(`ConfigMap ${namespace}/${name}`, () => watches.ofObject("configmaps", namespace, name, listener));
  }

  async start(deliver: (snapshot: Snapshot) => void): Promise<void> {
    await this.copies.start();
    await this.stream.begin(deliver);
  }

  async reread(): Promise<void> {
    await this.copies.reread();
    await this.stream.now();
  }

  async close(): Promise<void> {
    await Promise.all([this.stream.close(), this.copies.close()]);
  }

  private compose(): Snapshot {
    const { failures, objects } = this.copies;
    const [object] = objects;
    const documents = object === undefined ? [] : this.textsOf(object);
    if (failures.length > 0) return { documents, failures };
    const { namespace, name } = this.configMap;
    const called = `ConfigMap ${namespace}/${name}`;
    if (object === undefined)
      return { documents, failures: [`${called} does not exist: make it, or name another one.`] };
    if (documents.length > 0) return { documents, failures };
    return { documents, failures: [`${called} has no key that ends with .yaml, .yml or .json: add the policies.`] };
  }

  private textsOf(object: KubeObject): readonly ConfigDocument[] {
    const { data } = object as KubeObject & { readonly data?: Readonly<Record<string, unknown>> };
    const { namespace, name } = this.configMap;
    return Object.entries(data ?? {})
      .filter((entry): entry is [string, string] => isConfigName(entry[0]) && typeof entry[1] === "string")
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, text]) => ({
        origin: `ConfigMap ${namespace}/${name} ${key}`,
        format: "yaml",
        text,
        isFromApi: true,
      }));
  }
}
