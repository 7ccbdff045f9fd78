import type { CreationResult, DeletionCause, ReplicationReport } from "../replication/replication-report.ts";
import type { ReportSinks } from "./reports.ts";

/** What is seen of doors that open on every node. No source is in it: grants are audited by the grant stage's report. */
export class ObservedReplication implements ReplicationReport {
  private readonly sinks: ReportSinks;

  constructor(sinks: ReportSinks) {
    this.sinks = sinks;
  }

  created(result: CreationResult): void {
    this.sinks.metrics.grantReplicated(result);
  }

  deleted(cause: DeletionCause): void {
    this.sinks.metrics.grantDeleted(cause);
  }

  waiting(count: number): void {
    this.sinks.metrics.replicationsWaiting(count);
  }

  warned(message: string): void {
    this.sinks.logger.log("kubernetes-warned", message);
  }
}
