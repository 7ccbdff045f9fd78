import { expect, test } from "vitest";
import { nftVersion } from "../../../src/nftables/nft-version.ts";

test.each([
  { stdout: "nftables v1.0.6 (Lester Gooch #5)\n", version: "1.0.6" },
  { stdout: "something else\n", version: "unknown" },
  { stdout: "", version: "unknown" },
])("$version is read from what nft says of itself", async ({ stdout, version }) => {
  expect(await nftVersion(async () => ({ status: 0, stdout, stderr: "" }))).toBe(version);
});
