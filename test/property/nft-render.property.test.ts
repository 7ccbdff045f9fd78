import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareAddresses, formatRange, mergeRanges } from "../../src/nftables/address-range.ts";
import { parseListing, parseTimeout } from "../../src/nftables/listing-parser.ts";
import { renderKey, renderTimeout, renderTransaction } from "../../src/nftables/render.ts";
import { Transaction } from "../../src/nftables/transaction.ts";
import { elements } from "./nft-arbitraries.ts";

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const six = fc.tuple(fc.constant(0x20010db8), word, word, word).map((words) => Uint32Array.from(words));
const range = fc
  .tuple(six, six)
  .map(([one, other]) =>
    compareAddresses(one, other) <= 0 ? { first: one, last: other } : { first: other, last: one },
  );

describe("what is rendered", () => {
  test("is read back: times", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9_999_999 * 86_400_000 }), (ms) => parseTimeout(renderTimeout(ms)) === ms),
    );
  });

  test("is read back: elements", () => {
    fc.assert(
      fc.property(elements, (element) => {
        const text = renderTransaction(new Transaction().add(element))
          .replace(/^.*\{ /, "")
          .replace(/ \}\n$/, "");
        const type = {
          doors: "ipv4_addr . inet_proto . inet_service",
          six: "ipv6_addr . inet_service . inet_service",
          ports: "inet_proto . inet_service",
          hosts: "ipv6_addr",
        }[element.set];
        const listing = parseListing(
          `table inet knockgate { # handle 1\n\tset ${element.set} { # handle 2\n\t\ttype ${type}\n\t\telements = { ${text} }\n\t}\n}\n`,
        );
        expect(listing?.sets.get(element.set)?.elements).toEqual([element]);
      }),
    );
  });

  test("is read back: ranges", () => {
    fc.assert(
      fc.property(range, (given) => {
        const listing = parseListing(
          `table inet knockgate {\n\tset r {\n\t\ttype ipv6_addr\n\t\telements = { ${formatRange(given)} }\n\t}\n}\n`,
        );
        const [element] = listing?.sets.get("r")?.elements ?? [];
        expect(renderKey(element?.key ?? [])).toBe(formatRange(given));
      }),
    );
  });

  test("arbitrary text never makes the parser throw", () => {
    const piece = fc.constantFrom(
      "table inet knockgate { # handle 1\n",
      "\tset s {\n",
      "\t\ttype ipv4_addr\n",
      "\t\telements = { ",
      "\t}\n",
      "}",
      ' comment "',
      "10.0.0.0/33",
      "-",
      ",",
      "\n",
    );
    fc.assert(fc.property(fc.array(fc.oneof(piece, fc.string())), (pieces) => void parseListing(pieces.join(""))));
  });
});

test("merged ranges hold the same addresses, apart and in order", () => {
  const small = fc.tuple(fc.nat(40), fc.nat(40)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  const at = (host: number) => Uint32Array.of(0, 0, 0xffff, host);
  fc.assert(
    fc.property(fc.array(small), (pairs) => {
      const merged = mergeRanges(pairs.map(([a, b]) => ({ first: at(a), last: at(b) })));
      for (let host = 0; host <= 40; host++) {
        const within = merged.filter(({ first, last }) => (first[3] ?? 0) <= host && host <= (last[3] ?? 0)).length;
        expect(within).toBe(pairs.some(([a, b]) => a <= host && host <= b) ? 1 : 0);
      }
      for (const [index, { first }] of merged.slice(1).entries()) {
        expect((first[3] ?? 0) - (merged[index]?.last[3] ?? 0)).toBeGreaterThan(1);
      }
    }),
  );
});
