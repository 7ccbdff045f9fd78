import { readFileSync } from "node:fs";

/** The version of this program, from its package.json; the same path from src/cli and from dist/cli. */
export function programVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** The commit it was built from; who builds an image says so in KNOCKGATE_REVISION. */
export function programRevision(env: Readonly<Record<string, string | undefined>>): string {
  return env.KNOCKGATE_REVISION ?? "unknown";
}
