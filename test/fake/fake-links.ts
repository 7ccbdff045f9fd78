import type { LinkStates } from "../../src/capture/link-watch.ts";
import type { LinkState } from "../../src/capture/packet-source.ts";
import { parseAddress } from "../../src/policy/address.ts";

/** A host whose addresses a test sets. */
export class FakeLinks implements LinkStates {
  state: LinkState;
  private readonly listeners = new Set<(state: LinkState) => void>();

  constructor(addresses: readonly string[]) {
    this.state = stateOf(addresses);
  }

  subscribe(listener: (state: LinkState) => void): () => void {
    this.listeners.add(listener);
    listener(this.state);
    return () => this.listeners.delete(listener);
  }

  use(addresses: readonly string[]): void {
    this.state = stateOf(addresses);
    for (const listener of this.listeners) listener(this.state);
  }
}

function stateOf(addresses: readonly string[]): LinkState {
  return { links: [], localAddresses: addresses.flatMap((text) => parseAddress(text) ?? []), exemptAddresses: [] };
}
