import { describe, expect, test } from "vitest";
import { codesOf, compileTexts, policyText } from "../../fake/policy-text.ts";

const letters = [..."abcdefghijklmnopqrstuvwxyz"];
const many = (piece: (at: number) => string, count: number) =>
  Array.from({ length: count }, (_, at) => piece(at)).join("");
const sound = policyText({ name: "ssh" });

describe("texts that nobody vouches for", () => {
  test.each([
    ["brackets without end", "[".repeat(1 << 20), ["yaml-too-deep"]],
    ["braces without end", "{a: ".repeat(250_000), ["yaml-too-deep"]],
    [
      "lists in lists",
      "- ".repeat(40),
      [
        "yaml-too-deep [0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]",
      ],
    ],
    ["mappings in mappings", many((at) => `${" ".repeat(at)}a:\n`, 50), ["yaml-too-deep"]],
    ["many keys", many((at) => `a${at}:\n`, 90_000), ["yaml-too-big"]],
    ["an alias of itself", "&a [*a]\n", ["yaml-too-deep"]],
    [
      "aliases of aliases",
      many((at) => `${letters[at]}: &${letters[at]} [${`*${letters[at - 1]},`.repeat(at === 0 ? 0 : 9)}]\n`, 9),
      ["yaml-too-big"],
    ],
    ["closing brackets", "]".repeat(1 << 20), ["yaml-too-big"]],
    ["one long line", "a".repeat(1 << 20), ["not-a-resource"]],
    ["a NUL", "a: \0\n", ["not-a-resource"]],
  ])("%s", (_, text, codes) => {
    const found = codesOf(compileTexts([text]));
    expect(found.map((code) => code.split(" ")[0])).toEqual(codes.map((code) => code.split(" ")[0]));
  });

  test("a bad document leaves those after it alone", () => {
    const deepBlock = many((at) => `${" ".repeat(at)}a:\n`, 50);
    expect(
      compileTexts([deepBlock, sound, "a: *b\n", sound.replace("ssh", "two").replace("9101", "9105")]).policies.length,
    ).toBe(2);
  });

  test("a key called __proto__ is a field like any other", () => {
    const text = sound.replace("spec:", "__proto__: { polluted: true }\nspec:");
    expect(codesOf(compileTexts([text]))).toEqual(["field-unknown ?"]);
    expect("polluted" in {}).toBe(false);
  });

  test("a name that could be a step is not shown", () => {
    const text = sound.replace("steps: [9101/udp, 7102, 8103]", "9101/udp: 7102");
    const { problems } = compileTexts([text]);
    expect(problems.map(({ message, field }) => `${message} ${field}`).join()).not.toMatch(/\d{4}/);
  });

  test("YAML errors do not quote the text", () => {
    const { problems } = compileTexts([`${sound}: 7102 : 9101\n]`]);
    expect(problems.map(({ message }) => message).join()).not.toMatch(/\d{4}/);
  });

  test("numbers that other programs read as others are not taken", () => {
    for (const port of ["022", "0x16", "0o26", "2.2e1", "+22"])
      expect(codesOf(compileTexts([policyText({ name: "ssh", ports: `[${port}]` })]))).toEqual([
        "port-invalid spec.opens.ports[0]",
      ]);
  });

  test("YAML 1.1 does not make other numbers either", () => {
    const text = `%YAML 1.1\n---\n${policyText({ name: "ssh", ports: "[1:20, 022]" })}`;
    expect(codesOf(compileTexts([text]))).toEqual([
      "port-invalid spec.opens.ports[0]",
      "port-invalid spec.opens.ports[1]",
    ]);
  });

  test("values by alias are placed where the alias leads", () => {
    const text = `${sound}x: &door { ports: [0], for: 1s }\n`.replace(/ {2}opens: .*\n/, "").concat("y: *door\n");
    const { problems } = compileTexts([text.replace("x: &door", "  opens: &door")]);
    expect(problems.map(({ code, place }) => `${place.line} ${code}`)).toEqual(["6 port-invalid", "7 field-unknown"]);
  });
});
