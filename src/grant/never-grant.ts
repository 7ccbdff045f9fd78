import { type Address, type Cidr, contains } from "../policy/address.ts";
import type { Policy } from "../policy/policy.ts";

/**
 * Whether nothing may be granted to this source: it lies in a range that is never granted (behind source NAT a grant would
 * open the door to everybody there), and the policy's `sources` do not name that range or a part of it themselves.
 * `0.0.0.0/0` and `::/0` name no range.
 */
export function isNeverGranted(source: Address, policy: Policy, never: readonly Cidr[]): boolean {
  return never.some((range) => contains(range, source) && !namesRange(policy, range, source));
}

function namesRange(policy: Policy, range: Cidr, source: Address): boolean {
  return policy.opensBy.sources.some(
    (named) => named.prefixBits >= range.prefixBits && contains(range, named.address) && contains(named, source),
  );
}
