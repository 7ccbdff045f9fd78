import fc from "fast-check";
import {
  type NftChain,
  type NftElement,
  type NftObject,
  type NftRule,
  type NftSet,
  rule,
} from "../../src/nftables/objects.ts";
import { Transaction } from "../../src/nftables/transaction.ts";

const merged: NftSet = { kind: "set", name: "merged", type: ["ipv4_addr"], interval: true, autoMerge: true };

const sets: readonly NftSet[] = [
  { kind: "set", name: "doors", type: ["ipv4_addr", "inet_proto", "inet_service"], timeout: true, size: 3 },
  { kind: "set", name: "six", type: ["ipv6_addr", "inet_service", "inet_service"], timeout: true },
  merged,
  { kind: "set", name: "ports", type: ["inet_proto", "inet_service"] },
  { kind: "set", name: "hosts", type: ["ipv6_addr"] },
];

const chains: readonly NftChain[] = [
  { kind: "chain", name: "gate", hook: { name: "prerouting", priority: -160 } },
  { kind: "chain", name: "rest" },
];

const expressions = [
  rule`ip saddr . meta l4proto . th dport @doors return`,
  rule`meta l4proto . th dport @ports return`,
  rule`ip saddr @merged goto rest`,
  rule`counter name seen`,
  rule`drop`,
];

const four = fc.integer({ min: 0, max: 5 }).map((host) => Uint32Array.of(0, 0, 0xffff, 0xc0000200 + host));
const six = fc.integer({ min: 0, max: 5 }).map((host) => Uint32Array.of(0x20010db8, 0, 0, host));
const port = fc.constantFrom(22, 53, 65535);
const protocol = fc.constantFrom("tcp" as const, "udp" as const);
/** Whole seconds: the kernel rounds up to its ticks. */
const life = fc.record({ timeoutMs: fc.integer({ min: 3600, max: 9e9 }).map((seconds) => seconds * 1000) });
const comment = fc.record({ comment: fc.stringMatching(/^[0-9a-f]{8}(,[0-9a-f]{8}){0,3}$/) });

/** An element of one of the sets; few different ones, so that they meet. */
export const elements: fc.Arbitrary<NftElement> = fc.oneof(
  fc.tuple(four, protocol, port, fc.option(life, { nil: {} }), fc.option(comment, { nil: {} })).map(
    ([address, name, number, ...more]): NftElement => ({
      kind: "element",
      set: "doors",
      ...Object.assign({}, ...more),
      key: [
        { kind: "address", address },
        { kind: "protocol", protocol: name },
        { kind: "port", port: number },
      ],
    }),
  ),
  fc.tuple(six, port, port, fc.option(life, { nil: {} })).map(
    ([address, one, other, more]): NftElement => ({
      kind: "element",
      set: "six",
      ...more,
      key: [
        { kind: "address", address },
        { kind: "port", port: one },
        { kind: "port", port: other },
      ],
    }),
  ),
  fc.tuple(protocol, port).map(
    ([name, number]): NftElement => ({
      kind: "element",
      set: "ports",
      key: [
        { kind: "protocol", protocol: name },
        { kind: "port", port: number },
      ],
    }),
  ),
  six.map((address): NftElement => ({ kind: "element", set: "hosts", key: [{ kind: "address", address }] })),
);

/**
 * Those that are added whether they are there or not. None has a timeout, nor may what is there have one: what becomes of
 * it depends on the kernel. From Linux 6.12 the new timeout, or its absence, takes its place; before, nothing happens.
 */
const enduring = elements.filter(({ set }) => set !== "six").map(({ timeoutMs: _, ...element }): NftElement => element);

/** Those that are renewed, the way that works on every kernel. */
const renewed = elements.filter(({ set, timeoutMs }) => set === "six" || timeoutMs === undefined);

/** The whole of a merging set at once, as the product does it: nft 1.0.6 trips when it is flushed after something was added. */
const ranges: fc.Arbitrary<NftElement> = fc.tuple(four, four).map(([one, other]) => {
  const [first, last] = (one[3] ?? 0) <= (other[3] ?? 0) ? [one, other] : [other, one];
  return { kind: "element", set: "merged", key: [{ kind: "range", first, last }] };
});

const rules: fc.Arbitrary<NftRule> = fc
  .tuple(fc.constantFrom("gate", "rest"), fc.constantFrom(...expressions))
  .filter(([chain, expression]) => chain !== "rest" || !expression.includes("rest")) // a loop is another error
  .map(([chain, expression]) => ({ kind: "rule", chain, expression }));

const table: NftObject = { kind: "table" };
const counter: NftObject = { kind: "counter", name: "seen" };

type Step = (transaction: Transaction) => Transaction;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: enduring.map(
      (element): Step =>
        (all) =>
          all.add(element),
    ),
  },
  {
    weight: 3,
    arbitrary: elements.map(
      (element): Step =>
        (all) =>
          all.delete(element),
    ),
  },
  {
    weight: 3,
    arbitrary: renewed.map(
      (element): Step =>
        (all) =>
          all.add({ kind: "element", set: element.set, key: element.key }).delete(element).add(element),
    ),
  },
  {
    weight: 1,
    arbitrary: enduring.map(
      (element): Step =>
        (all) =>
          all.create(element),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.array(ranges, { maxLength: 3 }).map(
      (some): Step =>
        (all) =>
          some.reduce((filled, element) => filled.add(element), all.flush(merged)),
    ),
  },
  {
    weight: 3,
    arbitrary: rules.map(
      (object): Step =>
        (all) =>
          all.add(object),
    ),
  },
  {
    weight: 1,
    arbitrary: rules.map(
      (object): Step =>
        (all) =>
          all.insert(object),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(...sets.filter((set) => set !== merged), ...chains).map(
      (object): Step =>
        (all) =>
          all.flush(object),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...sets, ...chains, counter).map(
      (object): Step =>
        (all) =>
          all.add(object),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...sets, ...chains, counter).map(
      (object): Step =>
        (all) =>
          all.create(object as NftSet),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...sets, ...chains, counter).map(
      (object): Step =>
        (all) =>
          all.delete(object as NftSet),
    ),
  },
);

/** Everything that the steps need. */
export function foundation(): Transaction {
  return [...sets, ...chains, counter].reduce(
    (all, object) => all.add(object),
    new Transaction().destroy(table as NftSet).add(table),
  );
}

/** Transactions after one another; most go well, some cannot. */
export const histories: fc.Arbitrary<Transaction[]> = fc.array(
  fc
    .array(step, { minLength: 1, maxLength: 6 })
    .map((steps) => steps.reduce((all, next) => next(all), new Transaction())),
  { minLength: 1, maxLength: 8 },
);
