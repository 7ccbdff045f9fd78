import { describe, expect, test } from "vitest";
import { readProfile, usualProfilesPath } from "../../../src/cli/knock-profiles.ts";

const bastion = "  bastion:\n    host: bastion.example\n    steps: [7312/udp, 9127]\n";

describe("a file of profiles", () => {
  test("needs no more than a host and steps", () => {
    expect(readProfile(`profiles:\n${bastion}`, "p.yaml", "bastion")).toEqual({
      host: "bastion.example",
      steps: ["7312/udp", "9127"],
      open: undefined,
      waitMs: undefined,
      delayMs: undefined,
      family: undefined,
    });
  });

  test("tells all its problems at once, with place and field, and shows no step", () => {
    const text = `profiles:\n${bastion}  other:\n    hots: x\n    steps: [99999, 7313/sctp]\n    open: 0\n    wait: soon\n`;
    expect(() => readProfile(text, "p.yaml", "bastion")).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(
          /^p\.yaml:\d+:\d+: profiles\.other[^\n]*(\np\.yaml:\d+:\d+: profiles\.other[^\n]*){5}$/,
        ),
      }),
    );
    const told = messageOf(text);
    expect(told).toContain("did you mean host?");
    for (const field of ["hots", "host", "steps[0]", "steps[1]", "open", "wait"])
      expect(told).toContain(`profiles.other.${field}: `);
    for (const step of ["99999", "7313"]) expect(told).not.toContain(step);
  });

  test.each([
    { name: "an empty file", text: "", says: "p.yaml has to be one YAML document" },
    { name: "two documents", text: "profiles: {}\n---\nprofiles: {}\n", says: "p.yaml has to be one YAML document" },
    { name: "what is no YAML", text: "profiles: [", says: "p.yaml:1:" },
    { name: "no profile at all", text: "profiles: {}\n", says: 'p.yaml has no profile "bastion": it has none' },
    { name: "other names", text: `profiles:\n${bastion.replace("bastion:", "home:")}`, says: "it has home" },
  ])("says what is wrong with $name", ({ text, says }) => {
    expect(messageOf(text)).toContain(says);
  });
});

function messageOf(text: string): string {
  try {
    readProfile(text, "p.yaml", "bastion");
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

test.each([
  { env: { HOME: "/home/me" }, path: "/home/me/.config/knockgate/profiles.yaml" },
  { env: { HOME: "/home/me", XDG_CONFIG_HOME: "/conf" }, path: "/conf/knockgate/profiles.yaml" },
  { env: { HOME: "/home/me", XDG_CONFIG_HOME: "conf" }, path: "/home/me/.config/knockgate/profiles.yaml" },
  { env: { HOME: "/home/me", KNOCKGATE_PROFILES: "mine.yaml" }, path: "mine.yaml" },
])("it lies in $path", ({ env, path }) => {
  expect(usualProfilesPath(env)).toBe(path);
});
