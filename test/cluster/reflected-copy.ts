import { systemClock } from "../../src/clock.ts";
import { ApiClient, type Selection } from "../../src/kubernetes/api-client.ts";
import { KubeCredentials } from "../../src/kubernetes/credentials.ts";
import { type Objects, Reflector } from "../../src/kubernetes/reflector.ts";
import type { Condition, RestartCause } from "../../src/kubernetes/reflector-report.ts";

/** A reflector at a real API server, and all that it has told. */
export class ReflectedCopy {
  readonly reflector: Reflector;
  /** How many objects each copy had. */
  readonly sizes: number[] = [];
  readonly causes: RestartCause[] = [];
  readonly conditions: Condition[] = [];
  private readonly client: ApiClient;
  private readonly watchers = new Set<() => void>();

  constructor(kubeconfig: string, selection: Selection) {
    this.client = new ApiClient({
      credentials: new KubeCredentials(systemClock, { path: kubeconfig, reader: "agent" }),
      clock: systemClock,
    });
    this.reflector = new Reflector({
      client: this.client,
      selection,
      name: { resource: "configmaps", scope: "test" },
      clock: systemClock,
      random: Math.random,
      report: {
        restarted: (_, cause) => this.told(() => this.causes.push(cause)),
        condition: (_, condition) => this.told(() => condition !== undefined && this.conditions.push(condition)),
        handlerFailed: (_, error) => {
          throw error;
        },
      },
      changed: (objects) => this.told(() => this.sizes.push(objects.size)),
    });
  }

  get names(): readonly string[] {
    return [...(this.reflector.objects?.values() ?? [])].map(({ metadata }) => metadata.name);
  }

  /** Resolves as soon as it holds, looking whenever something was told; rejects after a minute. */
  until(what: string, holds: (objects: Objects) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.watchers.delete(look);
        reject(new Error(`waited in vain for ${what}; causes: ${this.causes.join()}; ${this.names.join()}`));
      }, 60_000);
      const look = () => {
        if (!holds(this.reflector.objects ?? new Map())) return;
        clearTimeout(timer);
        this.watchers.delete(look);
        resolve();
      };
      this.watchers.add(look);
      look();
    });
  }

  async stop(): Promise<void> {
    await this.reflector.stop();
    this.client.close();
  }

  private told(note: () => unknown): void {
    note();
    for (const look of [...this.watchers]) look();
  }
}
