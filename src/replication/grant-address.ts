import { knockKinds, type ObjectAddress } from "../kubernetes/resource.ts";

/** KnockGrants, as the API's paths name them. */
export const grantKind = knockKinds.knockgrants;

/** One KnockGrant and no other that has its name before or after it. */
export interface GrantAddress {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** Where the API has a KnockGrant. */
export function grantAddress(namespace: string, name: string): ObjectAddress & { readonly namespace: string } {
  return { kind: grantKind, namespace, name };
}
