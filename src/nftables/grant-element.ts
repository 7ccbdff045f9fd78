import type { Grant } from "../grant/grant.ts";
import { type HoldId, holdPattern, isClusterHold } from "../grant/hold.ts";
import type { Address } from "../policy/address.ts";
import type { Port } from "../policy/port.ts";
import type { TableListing } from "./nft.ts";
import type { NftElement } from "./objects.ts";
import { renderKey } from "./render.ts";
import { familyDigit, portParts } from "./ruleset.ts";

/** A comment holds at most 128 bytes: fourteen ids of eight digits with commas, or twelve with a mark. */
const mostCommentBytes = 128;

/** The element, without a timeout, that stands for a source and a port. */
export function doorElement(source: Address, port: Port): NftElement {
  return {
    kind: "element",
    set: `granted${familyDigit(source)}`,
    key: [{ kind: "address", address: source }, ...portParts(port)],
  };
}

/**
 * The element of a grant, with what is left of its time in whole milliseconds, rounded up. Undefined when its time is
 * over. Ids for which there is no room are not written down: after a restart the grant is not known to be theirs. Those of
 * KnockGrants come first, as they must be known to be closed.
 */
export function grantElement(grant: Grant, nowMicros: number): NftElement | undefined {
  const door = doorElement(grant.source, grant.port);
  const comment = commentOf(grant.policies);
  const described = comment === "" ? door : { ...door, comment };
  if (grant.deadlineMicros === undefined) return described;
  const timeoutMs = Math.ceil((grant.deadlineMicros - nowMicros) / 1000);
  return timeoutMs <= 0 ? undefined : { ...described, timeoutMs };
}

function commentOf(holds: readonly HoldId[]): string {
  const ordered = [...holds.filter(isClusterHold), ...holds.filter((hold) => !isClusterHold(hold))];
  let comment = "";
  for (const hold of ordered) {
    const longer = comment === "" ? hold : `${comment},${hold}`;
    if (longer.length > mostCommentBytes) break;
    comment = longer;
  }
  return comment;
}

/** The grant of a listed element; undefined where the element is none. The deadline is up to a millisecond late. */
function grantOf(element: NftElement, nowMicros: number): Grant | undefined {
  const [address, protocol, port] = element.key;
  if (address?.kind !== "address" || protocol?.kind !== "protocol" || port?.kind !== "port") return undefined;
  const policies = new Set((element.comment ?? "").split(",").filter((id) => holdPattern.test(id)));
  return {
    source: address.address,
    port: { protocol: protocol.protocol, port: port.port },
    policies: [...policies],
    deadlineMicros: element.timeoutMs === undefined ? undefined : nowMicros + ((element.expiresMs ?? 0) + 1) * 1000,
  };
}

/** The same text for the same source and port, and for the listed element. */
export function doorKey(source: Address, port: Port): string {
  return renderKey(doorElement(source, port).key);
}

/** The grants of a listing; deadlines on the clock that `nowMicros` was read from. */
export function grantsOf(listing: TableListing | undefined, nowMicros: number): Grant[] {
  const elements = ["granted4", "granted6"].flatMap((name) => listing?.sets.get(name)?.elements ?? []);
  return elements.map((element) => grantOf(element, nowMicros)).filter((grant) => grant !== undefined);
}
