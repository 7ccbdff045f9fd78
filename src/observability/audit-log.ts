import type { GrantEvent, GrantEventKind } from "../grant/grant-report.ts";
import { formatAddress } from "../policy/address.ts";
import { formatPort } from "../policy/port.ts";
import type { LogEventName } from "./log-events.ts";
import type { AuditFields, Logger } from "./logger.ts";

/** The log's event for each kind of grant event. */
const eventOfKind = {
  added: "grant-added",
  renewed: "grant-renewed",
  shortened: "grant-shortened",
  revoked: "grant-revoked",
  expired: "grant-expired",
  refused: "grant-refused",
  failed: "grant-failed",
} as const satisfies Record<GrantEventKind, LogEventName>;

const sentences: Readonly<Record<GrantEventKind, string>> = {
  added: "A door was opened.",
  renewed: "A door stays open for longer.",
  shortened: "A door stays open for less long than it was to.",
  revoked: "A door was closed before its time.",
  expired: "A door's time has run out.",
  refused: "The knock was right, but no door was opened.",
  failed: "The knock was right, but the kernel did not take the grant.",
};

/** Writes one record for each grant, renewal, revocation, expiry and refusal: who, by which policy, which ports, until when, why. */
export class AuditLog {
  private readonly logger: Logger;

  constructor(logger: Logger) {
    this.logger = logger;
  }

  record(event: GrantEvent): void {
    const fields: AuditFields = {
      source: formatAddress(event.source),
      policy: event.policy,
      ports: event.ports.map(formatPort),
      until: event.untilWallMicros === undefined ? undefined : isoTime(event.untilWallMicros),
      reason: event.reason,
      detail: event.detail,
    };
    this.logger.audit(eventOfKind[event.kind], sentences[event.kind], fields);
  }
}

/** `2026-11-23T18:20:00.000Z` for microseconds since the epoch. */
export function isoTime(wallMicros: number): string {
  return new Date(wallMicros / 1000).toISOString();
}
