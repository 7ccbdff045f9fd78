/**
 * What a KnockGrant that an agent creates is called: the policy's name, so that people recognise it, and an HMAC-SHA-256, keyed
 * by the steps, of the policy's uid, the source and the identity of the last packet. So
 *
 * * several nodes that saw the same knock (one address that is routed to all, a mirror) give it one name and make one object:
 *   the second create is answered with "already exists", which is success;
 * * somebody who may create KnockGrants, but does not know the steps, cannot take the name of a grant beforehand and so keep
 *   it from being made. Nor does a name tell of the steps to whoever lists grants: to try the 2^51 sets of three steps he would
 *   have to know the packet's source port, sequence number or checksum, and IP id as well, and who has seen the packet has seen
 *   the steps.
 *
 * Packets are told apart only within a window: a client that binds its source port may send the very same packet again, hours
 * later. `again` makes that another name.
 */
import { createHmac } from "node:crypto";
import { type Address, formatAddress } from "../policy/address.ts";
import type { Policy } from "../policy/policy.ts";

/** With the hash a name has 63 characters at most, so that it is a label of a DNS name too, and fits on a line. */
const mostPrefix = 30;
const hashDigits = 32;

/** The name of the KnockGrant for one knock. `again` is empty unless an older grant has the name already. */
export function grantNameOf(policy: Policy, source: Address, packet: string, again = ""): string {
  const said = JSON.stringify(["knockgate grant", policy.uid, formatAddress(source), packet, again]);
  const hash = createHmac("sha256", policy.opensBy.steps.join(",")).update(said).digest("hex");
  const name = policy.name.slice(policy.name.indexOf("/") + 1);
  const prefix = name.slice(0, mostPrefix).replace(/[^a-z0-9]+$/, "");
  return `${prefix}-${hash.slice(0, hashDigits)}`;
}
