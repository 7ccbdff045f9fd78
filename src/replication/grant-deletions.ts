import type { ApiClient } from "../kubernetes/api-client.ts";
import { ApiError } from "../kubernetes/api-error.ts";
import type { RequestQueue } from "../kubernetes/request-queue.ts";
import { type GrantAddress, grantAddress } from "./grant-address.ts";
import type { DeletionCause, ReplicationReport } from "./replication-report.ts";

export interface GrantDeletionsOptions {
  readonly client: Pick<ApiClient, "delete">;
  readonly queue: RequestQueue;
  /** Whether the watch still shows it. */
  readonly isThere: (grant: GrantAddress) => boolean;
  readonly report: ReplicationReport;
}

interface Deletion {
  readonly grant: GrantAddress;
  readonly cause: DeletionCause;
  /** Whether the watch has shown it, or the API has deleted it: when the watch does not show it any more it is gone. */
  isKnown: boolean;
}

/** Deletes KnockGrants, each once, and only that very object: not one that has taken its name since. */
export class GrantDeletions {
  private readonly options: GrantDeletionsOptions;
  /** What is being deleted and why, by uid, until the watch shows that it is gone. */
  private readonly asked = new Map<string, Deletion>();

  constructor(options: GrantDeletionsOptions) {
    this.options = options;
  }

  /** Whether it holds nothing open on this node any more, although it may still be there. */
  isRevoked(uid: string): boolean {
    return this.asked.get(uid)?.cause === "revoked";
  }

  /** Resolves when they are deleted; rejects with a sentence where the API has not taken it the first time. */
  async revoke(grants: readonly GrantAddress[]): Promise<void> {
    const answers = await Promise.allSettled(grants.map((grant) => this.remove(grant, "revoked")));
    const failed = answers.find((answer) => answer.status === "rejected");
    if (failed === undefined) return;
    throw new Error(
      `closed on this node; other nodes follow when the Kubernetes API takes it (${failed.reason.message})`,
    );
  }

  /** Its time is over. */
  expire(grant: GrantAddress): void {
    this.remove(grant, "expired").catch(() => undefined); // the queue goes on trying
  }

  /** Forgets what is gone. */
  prune(): void {
    for (const [uid, deletion] of this.asked) {
      if (this.options.isThere(deletion.grant)) deletion.isKnown = true;
      else if (deletion.isKnown) this.asked.delete(uid);
    }
  }

  /** Settles with the first try. */
  private remove(grant: GrantAddress, cause: DeletionCause): Promise<void> {
    const { queue } = this.options;
    const before = this.asked.get(grant.uid);
    if (before !== undefined && (before.cause === cause || cause === "expired")) return Promise.resolve();
    this.asked.set(grant.uid, { grant, cause, isKnown: false });
    return new Promise((resolve, reject) => {
      const isTaken = queue.add({
        send: (signal) => {
          const sent = this.send(grant, cause, signal);
          sent.then(resolve, reject);
          return sent;
        },
        isOver: () => !this.asked.has(grant.uid),
        gaveUp: (error) => {
          this.asked.delete(grant.uid);
          if (error === undefined) resolve();
          else reject(error);
        },
      });
      if (isTaken) return;
      this.asked.delete(grant.uid);
      reject(new Error("too many changes wait for the Kubernetes API"));
    });
  }

  private async send({ namespace, name, uid }: GrantAddress, cause: DeletionCause, signal: AbortSignal): Promise<void> {
    try {
      await this.options.client.delete(grantAddress(namespace, name), signal, uid);
      this.options.report.deleted(cause);
    } catch (error) {
      const isGone = error instanceof ApiError && (error.code === "missing" || error.code === "conflict");
      if (!isGone) throw error;
    }
    const deletion = this.asked.get(uid);
    if (deletion !== undefined) deletion.isKnown = true;
    this.prune();
  }
}
