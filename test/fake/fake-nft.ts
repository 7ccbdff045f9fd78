import type { Clock } from "../../src/clock.ts";
import { compareAddresses, mergeRanges } from "../../src/nftables/address-range.ts";
import type { ChainListing, CounterListing, Nft, SetListing, TableListing } from "../../src/nftables/nft.ts";
import { NftError } from "../../src/nftables/nft-error.ts";
import type {
  KeyPart,
  NftChain,
  NftCounter,
  NftElement,
  NftObject,
  NftRule,
  NftSet,
} from "../../src/nftables/objects.ts";
import { renderKey, renderShape } from "../../src/nftables/render.ts";
import type { Operation, Transaction, Verb } from "../../src/nftables/transaction.ts";

interface HeldElement {
  readonly element: NftElement;
  readonly endsAtMicros: number;
}

interface HeldSet {
  readonly handle: number;
  readonly set: NftSet;
  readonly elements: Map<string, HeldElement>;
}

interface HeldChain {
  readonly handle: number;
  readonly chain: NftChain;
  readonly rules: NftRule[];
}

interface Table {
  handle: number;
  lastHandle: number;
  readonly sets: Map<string, HeldSet>;
  readonly chains: Map<string, HeldChain>;
  readonly counters: Map<string, NftCounter>;
}

/**
 * nftables in memory, as strict as the kernel: a transaction runs on a copy that takes the place of the table when all of
 * it went well; what is referred to must be there, what is referred to cannot be deleted, and a full set takes no more.
 */
export class FakeNft implements Nft {
  readonly means = "fake";
  /** Every transaction that went through, for tests that look at what was sent. */
  readonly applied: (readonly Operation[])[] = [];
  /** Set to refuse what comes. */
  refuse: ((operations: readonly Operation[]) => NftError | undefined) | undefined;
  /** False: the generation cannot be asked for. */
  knowsGeneration = true;
  closed = false;
  private readonly clock: Clock;
  private table: Table | undefined;
  private tables = 0;
  private generationNumber = 1;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  async run(transaction: Transaction): Promise<void> {
    const operations = transaction.operations();
    if (operations.length === 0) return;
    const refusal = this.refuse?.(operations);
    if (refusal !== undefined) throw refusal;
    this.table = this.outcome(operations);
    this.applied.push([...operations]);
    this.generationNumber++;
  }

  async check(transaction: Transaction): Promise<void> {
    this.outcome(transaction.operations());
  }

  async list(): Promise<TableListing | undefined> {
    const { table } = this;
    if (table === undefined) return undefined;
    return {
      handle: table.handle,
      dormant: false,
      sets: new Map([...table.sets].map(([name, held]) => [name, this.listSet(held)])),
      chains: new Map([...table.chains].map(([name, held]) => [name, listChain(held)])),
      counters: new Map([...table.counters.keys()].map((name) => [name, { packets: 0, bytes: 0 }])),
    };
  }

  async counter(name: string): Promise<CounterListing | undefined> {
    return (await this.list())?.counters.get(name);
  }

  async generation(): Promise<number | undefined> {
    return this.knowsGeneration ? this.generationNumber : undefined;
  }

  close(): void {
    this.closed = true;
  }

  private outcome(operations: readonly Operation[]): Table | undefined {
    let table = this.table === undefined ? undefined : copyOf(this.table, this.clock.nowMicros());
    for (const { verb, object } of operations) {
      if (object.kind === "table") {
        if (verb === "delete" && table === undefined) throw notFound("table");
        if (verb === "create" && table !== undefined) throw exists("table");
        table = verb === "delete" ? undefined : (table ?? emptyTable(++this.tables));
      } else if (table === undefined) throw notFound("table");
      else this.change(table, verb, object);
    }
    return table;
  }

  private change(table: Table, verb: Verb, object: Exclude<NftObject, { kind: "table" }>): void {
    switch (object.kind) {
      case "set":
        return changeSet(table, verb, object);
      case "element":
        return this.changeElement(table, verb, object);
      case "chain":
        return changeChain(table, verb, object);
      case "rule":
        return changeRule(table, verb, object);
      case "counter":
        return changeNamed(table, table.counters, verb, object, object);
      default:
        return object satisfies never;
    }
  }

  private changeElement(table: Table, verb: Verb, element: NftElement): void {
    const held = table.sets.get(element.set);
    if (held === undefined) throw notFound(element.set);
    checkElement(held.set, element);
    const key = renderKey(element.key);
    if (verb === "delete") {
      if (!held.elements.delete(key)) throw notFound(key);
      return;
    }
    if (held.elements.has(key)) {
      if (verb === "create") throw exists(key);
      return this.renew(held, key, element);
    }
    if (held.set.interval && !held.set.autoMerge) refuseOverlap(held, element);
    if (held.set.size !== undefined && held.elements.size >= held.set.size) throw new NftError("set-full", element.set);
    held.elements.set(key, { element, endsAtMicros: this.endOf(element) });
    if (held.set.autoMerge) merge(held);
  }

  /** Since Linux 6.12 an add of what is there takes over the new timeout, or its absence, and keeps the comment. */
  private renew(held: HeldSet, key: string, element: NftElement): void {
    if (!held.set.timeout) return;
    const { timeoutMs: _, ...before } = held.elements.get(key)?.element ?? element;
    const renewed = element.timeoutMs === undefined ? before : { ...before, timeoutMs: element.timeoutMs };
    held.elements.set(key, { element: renewed, endsAtMicros: this.endOf(element) });
  }

  private endOf(element: NftElement): number {
    return element.timeoutMs === undefined ? Infinity : this.clock.nowMicros() + element.timeoutMs * 1000;
  }

  private listSet({ handle, set, elements }: HeldSet): SetListing {
    const nowMicros = this.clock.nowMicros();
    const live = [...elements.values()].filter(({ endsAtMicros }) => endsAtMicros > nowMicros);
    return {
      handle,
      set,
      elements: live.map(({ element, endsAtMicros }) =>
        element.timeoutMs === undefined
          ? element
          : { ...element, expiresMs: Math.floor((endsAtMicros - nowMicros) / 1000) },
      ),
    };
  }
}

function emptyTable(handle: number): Table {
  return { handle, lastHandle: 0, sets: new Map(), chains: new Map(), counters: new Map() };
}

/** Elements that have run out are gone: the kernel collects them once a second. */
function copyOf(table: Table, nowMicros: number): Table {
  return {
    ...table,
    sets: new Map(
      [...table.sets].map(([name, held]) => [
        name,
        {
          ...held,
          elements: new Map([...held.elements].filter(([, { endsAtMicros }]) => endsAtMicros > nowMicros)),
        },
      ]),
    ),
    chains: new Map([...table.chains].map(([name, held]) => [name, { ...held, rules: [...held.rules] }])),
    counters: new Map(table.counters),
  };
}

function changeSet(table: Table, verb: Verb, set: NftSet): void {
  const held = table.sets.get(set.name);
  if (verb === "flush") {
    if (held === undefined) throw notFound(set.name);
    held.elements.clear();
    return;
  }
  if (verb === "add" && held !== undefined && renderShape(held.set) !== renderShape(set)) throw exists(set.name);
  if (verb === "add" && held !== undefined) {
    table.sets.set(set.name, { ...held, set: { ...held.set, ...(set.size !== undefined && { size: set.size }) } });
    return;
  }
  changeNamed(table, table.sets, verb, set, {
    handle: ++table.lastHandle,
    set,
    elements: new Map(),
  });
}

function changeChain(table: Table, verb: Verb, chain: NftChain): void {
  const held = table.chains.get(chain.name);
  if (verb === "flush") {
    if (held === undefined) throw notFound(chain.name);
    held.rules.length = 0;
    return;
  }
  if (verb === "add" && held !== undefined && chain.hook && held.chain.hook?.priority !== chain.hook.priority) {
    throw exists(chain.name);
  }
  changeNamed(table, table.chains, verb, chain, { handle: ++table.lastHandle, chain, rules: [] });
}

function changeRule(table: Table, verb: Verb, rule: NftRule): void {
  const held = table.chains.get(rule.chain);
  if (held === undefined) throw notFound(rule.chain);
  for (const name of referencesOf(rule)) {
    if (!table.sets.has(name) && !table.chains.has(name) && !table.counters.has(name)) throw notFound(name);
  }
  if (verb === "insert") held.rules.unshift(rule);
  else held.rules.push(rule);
}

function changeNamed<T>(
  table: Table,
  held: Map<string, T>,
  verb: Verb,
  object: { readonly name: string },
  made: T,
): void {
  if (verb === "delete") {
    if (!held.has(object.name)) throw notFound(object.name);
    if (referenced(table, object.name)) throw new NftError("busy", object.name);
    held.delete(object.name);
  } else if (!held.has(object.name)) held.set(object.name, made);
  else if (verb === "create") throw exists(object.name);
}

/** The sets, counters and chains that a rule names. */
function referencesOf(rule: NftRule): string[] {
  return [...rule.expression.matchAll(/@(\w+)|\b(?:goto|jump|counter name) "?(\w+)/g)].map(
    ([, set, other]) => set ?? other ?? "",
  );
}

function referenced(table: Table, name: string): boolean {
  return [...table.chains.values()].some(({ rules }) => rules.some((rule) => referencesOf(rule).includes(name)));
}

function checkElement(set: NftSet, element: NftElement): void {
  const kinds = element.key.map((part) => kindOf(part));
  const fits =
    kinds.length === set.type.length &&
    set.type.every((type, at) => (type.endsWith("_addr") ? kinds[at] === "address" : kinds[at] === type));
  if (!fits) throw new NftError("syntax", `the key does not fit the set ${set.name}`);
  if (element.timeoutMs !== undefined && !set.timeout) throw new NftError("invalid", "the set has no timeouts");
}

function kindOf(part: KeyPart): string {
  if (part.kind === "port") return "inet_service";
  return part.kind === "protocol" ? "inet_proto" : "address";
}

function rangeOfElement(element: NftElement) {
  const [part] = element.key;
  if (part?.kind === "range") return { first: part.first, last: part.last };
  if (part?.kind === "address") return { first: part.address, last: part.address };
  throw new NftError("syntax", "not an address");
}

function refuseOverlap(held: HeldSet, element: NftElement): void {
  const range = rangeOfElement(element);
  for (const other of held.elements.values()) {
    const { first, last } = rangeOfElement(other.element);
    if (compareAddresses(first, range.last) <= 0 && compareAddresses(range.first, last) <= 0)
      throw new NftError("invalid", "interval overlaps");
  }
}

function merge(held: HeldSet): void {
  const merged = mergeRanges([...held.elements.values()].map(({ element }) => rangeOfElement(element)));
  held.elements.clear();
  for (const { first, last } of merged) {
    const part: KeyPart =
      compareAddresses(first, last) === 0 ? { kind: "address", address: first } : { kind: "range", first, last };
    const element: NftElement = { kind: "element", set: held.set.name, key: [part] };
    held.elements.set(renderKey(element.key), { element, endsAtMicros: Infinity });
  }
}

function listChain({ handle, chain, rules }: HeldChain): ChainListing {
  return { handle, chain, rules: rules.map(({ expression }) => expression) };
}

function notFound(what: string): NftError {
  return new NftError("not-found", what);
}

function exists(what: string): NftError {
  return new NftError("exists", what);
}
