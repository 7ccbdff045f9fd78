import { isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contains, formatAddress, formatCidr, overlap, parseAddress, parseCidr } from "../../src/policy/address.ts";
import { compile } from "../../src/policy/compile.ts";
import { formatDuration, parseDuration } from "../../src/policy/duration.ts";
import { formatPort, parsePort, portKey, portOfKey } from "../../src/policy/port.ts";
import { isProblemCode } from "../../src/policy/problem-catalogue.ts";
import { type PolicyText, plainOptions, policyText } from "../fake/policy-text.ts";

const address = fc.oneof(fc.ipV4(), fc.ipV6());
const words = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => new Uint32Array(Uint8Array.from(bytes).buffer));

describe("texts of values", () => {
  test("what is an address is decided as Node decides it, but for zones", () => {
    fc.assert(
      fc.property(fc.oneof(address, fc.string({ unit: fc.constantFrom(..."0123456789abcdef:.%") })), (text) => {
        expect(parseAddress(text) !== undefined).toBe(isIP(text) !== 0 && !text.includes("%"));
      }),
    );
  });

  test("an address survives being written and read", () => {
    fc.assert(
      fc.property(words, (given) => {
        expect(parseAddress(formatAddress(given))).toEqual(given);
      }),
    );
  });

  test("a range survives being written and read, and contains what it overlaps", () => {
    fc.assert(
      fc.property(words, words, fc.integer({ min: 0, max: 128 }), (one, other, prefixBits) => {
        const masked = one.map((word, at) => {
          const bits = Math.min(32, Math.max(0, prefixBits - at * 32));
          return bits === 0 ? 0 : word & (-1 << (32 - bits));
        });
        const range = parseCidr(formatCidr({ address: masked, prefixBits })) ?? expect.fail();
        expect(range).toEqual({ address: masked, prefixBits });
        expect(contains(range, other)).toBe(overlap(range, { address: other, prefixBits: 128 }));
      }),
    );
  });

  test("a duration survives being written and read", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999_999 }), (ms) => {
        expect(parseDuration(formatDuration(ms * 1000))).toBe(ms * 1000);
      }),
    );
  });

  test("a port survives being written, read and keyed", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 65535 }),
        fc.constantFrom("tcp" as const, "udp" as const),
        (port, protocol) => {
          expect(parsePort(formatPort({ port, protocol }))).toEqual({ port, protocol });
          expect(portOfKey(portKey({ port, protocol }))).toEqual({ port, protocol });
        },
      ),
    );
  });
});

/** Pieces of which YAML goes wrong in interesting ways. */
const yamlPiece = fc.oneof(
  fc.constantFrom(
    "apiVersion: knockgate.io/v1alpha1\n",
    "kind: KnockSequence\n",
    "spec:\n",
    "---\n",
    "  knock:\n",
    "- ",
    "? ",
    ": ",
    "&a ",
    "*a ",
    "[",
    "]",
    "{",
    "}",
    "|\n",
    "!!set ",
    "%YAML 1.1\n",
    "\t",
    "\n",
    "'",
    '"',
    "#",
    "<<: ",
  ),
  fc.string({ maxLength: 6 }),
);
const yamlText = fc.oneof(
  fc.string(),
  fc.array(yamlPiece, { maxLength: 40 }).map((pieces) => pieces.join("")),
);
const scalar = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom("9101/udp", "30s", "22", "::/0"),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("tree"), { maxLength: 4 }),
    fc.dictionary(
      fc.constantFrom(
        "spec",
        "knock",
        "steps",
        "opens",
        "ports",
        "for",
        "sources",
        "closedBy",
        "run",
        "metadata",
        "name",
      ),
      tie("tree"),
    ),
  ),
}));
const resource = fc
  .tuple(tree, tree)
  .map(([spec, metadata]) =>
    JSON.stringify({ apiVersion: "knockgate.io/v1alpha1", kind: "KnockSequence", metadata, spec }),
  );

describe("compile", () => {
  test("never throws, and says only what is in the catalogue", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(yamlText, resource), { maxLength: 3 }), (texts) => {
        const documents = texts.map((text, at) => ({ origin: `${at}.yaml`, format: "yaml" as const, text }));
        const { problems, policies } = compile(documents, plainOptions);
        expect(problems.filter(({ code, place }) => !isProblemCode(code) || (place.line ?? 0) < 1)).toEqual([]);
        expect(policies).toEqual([]);
      }),
    );
  });

  const policy: fc.Arbitrary<PolicyText> = fc.record({
    name: fc.constantFrom("a", "b", "c", "d"),
    steps: fc
      .array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 })
      .map((steps) => JSON.stringify(steps)),
    ports: fc
      .array(fc.integer({ min: 5, max: 9 }), { minLength: 1, maxLength: 3 })
      .map((ports) => JSON.stringify(ports)),
    opensFor: fc.constantFrom("10s", "0s", "soon"),
    sources: fc.constantFrom("[10.0.0.0/8]", "[10.1.0.0/16]", "['::/0']"),
    knock: fc.constantFrom("decoys: 2", "decoys: 0"),
  });
  const policies = fc.array(policy, { maxLength: 5 });

  test("is the same for the same texts", () => {
    fc.assert(
      fc.property(policies, (texts) => {
        const documents = texts.map((text, at) => ({
          origin: `${at}.yaml`,
          format: "yaml" as const,
          text: policyText(text),
        }));
        expect(compile(documents, plainOptions)).toEqual(compile(documents, plainOptions));
      }),
    );
  });

  test("no port is both a step and guarded, and nothing that is still named loses its door", () => {
    fc.assert(
      fc.property(policies, policies, (before, after) => {
        const documents = (texts: readonly PolicyText[]) =>
          texts.map((text, at) => ({ origin: `${at}.yaml`, format: "yaml" as const, text: policyText(text) }));
        const standing = compile(documents(before), plainOptions).policies;
        const now = compile(documents(after), { ...plainOptions, standing });
        const guarded = new Set(now.guarded.map(portKey));
        expect(now.policies.flatMap(({ opensBy }) => opensBy.steps.filter((key) => guarded.has(key)))).toEqual([]);
        const names = new Set(now.policies.map(({ name }) => name));
        expect(names.size).toBe(now.policies.length);
        expect(standing.filter(({ name }) => now.names.has(name) && !names.has(name))).toEqual([]);
      }),
    );
  });
});
