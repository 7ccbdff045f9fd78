import { describe, expect, test } from "vitest";
import { parseAddress } from "../../../src/policy/address.ts";
import { isObjectName } from "../../../src/policy/field.ts";
import { grantNameOf } from "../../../src/replication/grant-name.ts";
import { samplePolicy } from "../../fake/sample-policy.ts";

const alice = parseAddress("192.0.2.11") ?? new Uint32Array(4);
const bob = parseAddress("2001:db8::1") ?? new Uint32Array(4);
const ssh = samplePolicy({ uid: "uid" });

describe("the name of a grant", () => {
  test("is the same for the same knock, wherever it is seen", () => {
    expect(grantNameOf(ssh, alice, "1.2.3")).toBe(grantNameOf({ ...ssh }, alice.slice(), "1.2.3"));
  });

  test.each([
    { what: "source", name: grantNameOf(ssh, bob, "1.2.3") },
    { what: "packet", name: grantNameOf(ssh, alice, "1.2.4") },
    { what: "policy of that name, made anew,", name: grantNameOf({ ...ssh, uid: "other" }, alice, "1.2.3") },
    { what: "secret", name: grantNameOf(samplePolicy({ uid: "uid", steps: ["7001/udp"] }), alice, "1.2.3") },
    { what: "time", name: grantNameOf(ssh, alice, "1.2.3", "later") },
  ])("is another for another $what", ({ name }) => {
    expect(name).not.toBe(grantNameOf(ssh, alice, "1.2.3"));
  });

  test.each(["ssh", "a.b-c", `${"a".repeat(39)}.b`, `${"a".repeat(38)}--b`, "a".repeat(253)])(
    "is one that an object may have, and begins with the policy's: %s",
    (name) => {
      const policy = { ...ssh, name: `default/${name}` };
      const grant = grantNameOf(policy, alice, "1.2.3");
      expect(isObjectName(grant)).toBe(true);
      expect(grant.startsWith(name.slice(0, 8))).toBe(true);
    },
  );
});
