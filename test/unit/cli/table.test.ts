import { expect, test } from "vitest";
import { formatTable } from "../../../src/cli/table.ts";

test("columns are as wide as their widest cell", () => {
  expect(
    formatTable(
      ["SOURCE", "PORT"],
      [
        ["192.0.2.7", "22/tcp"],
        ["::1", "1/udp"],
      ],
    ),
  ).toBe("SOURCE     PORT\n192.0.2.7  22/tcp\n::1        1/udp\n");
});

test("nothing to show leaves the head", () => {
  expect(formatTable(["A", "B"], [])).toBe("A  B\n");
});

test("control characters do not reach the terminal", () => {
  expect(formatTable(["A"], [["\u001b[2Jx\n"]])).toBe("A\n\ufffd[2Jx\ufffd\n");
});
