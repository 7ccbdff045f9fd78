import type {
  Condition,
  ReflectorReport,
  RestartCause,
  WatchedResource,
  WatchName,
  watchedResources,
} from "../kubernetes/reflector-report.ts";
import { watchStates } from "./metric-table.ts";
import type { ReportSinks } from "./reports.ts";

/** One watch of the Kubernetes API, for `/statusz`. */
export interface WatchStatus {
  readonly resource: WatchedResource;
  /** A namespace, `*` for all, or one object. */
  readonly scope: string;
  readonly state: (typeof watchStates)[number];
  /** Why it is failing. */
  readonly reason: string | undefined;
  /** How long it has been in this state. */
  readonly seconds: number;
}

interface Watch {
  readonly name: WatchName;
  readonly condition: Condition;
  readonly sinceMicros: number;
}

/** The API's part of what is seen. Losing the API is told once, whatever the number of watches, and so is its return. */
export class ObservedKubernetes implements ReflectorReport {
  private readonly sinks: ReportSinks;
  private readonly watches = new Map<string, Watch>();
  /** What was said of the failing watches; cleared when none is left. */
  private readonly told = new Set<string>();

  constructor(sinks: ReportSinks) {
    this.sinks = sinks;
  }

  /** Every watch; none where the API is not used. */
  get status(): readonly WatchStatus[] {
    const now = this.sinks.clock.nowMicros();
    return [...this.watches.values()].map(({ name, condition, sinceMicros }) => ({
      ...name,
      state: condition.kind,
      reason: condition.kind === "failing" ? condition.error.message : undefined,
      seconds: Math.floor((now - sinceMicros) / 1e6),
    }));
  }

  restarted({ resource }: WatchName, cause: RestartCause): void {
    this.sinks.metrics.watchRestarted(resource, cause);
  }

  condition(name: WatchName, condition: Condition | undefined): void {
    const key = `${name.resource} ${name.scope}`;
    const before = this.watches.get(key);
    if (condition === undefined) this.watches.delete(key);
    else {
      const isSame = before?.condition.kind === condition.kind;
      const sinceMicros = isSame ? before.sinceMicros : this.sinks.clock.nowMicros();
      this.watches.set(key, { name, condition, sinceMicros });
    }
    this.count(name.resource);
    if (condition?.kind === "failing") this.tellFailing(name, condition);
    else this.tellCurrent();
  }

  handlerFailed({ resource }: WatchName, error: unknown): void {
    this.sinks.metrics.watchHandlerFailed(resource);
    this.sinks.logger.log("kubernetes-failed", `A change of ${resource} could not be taken up: ${String(error)}`);
  }

  private count(resource: (typeof watchedResources)[number]): void {
    for (const state of watchStates) {
      const own = [...this.watches.values()].filter(({ name }) => name.resource === resource);
      this.sinks.metrics.watches(resource, state, own.filter(({ condition }) => condition.kind === state).length);
    }
  }

  /** One line for each kind of trouble with each resource, until all is well again. */
  private tellFailing({ resource, scope }: WatchName, { error }: Condition & { readonly kind: "failing" }): void {
    const trouble = `${resource} ${error.code}`;
    if (this.told.has(trouble)) return;
    this.told.add(trouble);
    const message = `The watch of ${resource} (${scope}) fails: ${error.message}; what is known stays in force.`;
    this.sinks.logger.log("kubernetes-lost", message, { reason: error.code });
  }

  private tellCurrent(): void {
    const isFailing = [...this.watches.values()].some(({ condition }) => condition.kind === "failing");
    if (isFailing || this.told.size === 0) return;
    this.told.clear();
    this.sinks.logger.log("kubernetes-current", "Every watch of the Kubernetes API is current again.");
  }
}
