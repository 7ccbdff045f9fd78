// The embedded example policy, as the scripts that show it need it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "./npm-packages.mjs";

/** Where the example lies in the checkout. */
export const demoFile = join(checkout, "deploy/examples/demo.yaml");

/** The example's text, its steps such as `7312/udp`, and the one TCP port it opens. */
export function demoPolicy() {
  const text = readFileSync(demoFile, "utf8");
  const steps = /steps: \[(.*?)\]/
    .exec(text)[1]
    .split(",")
    .map((step) => step.trim());
  return { text, steps, port: Number(/ports: \[(\d+)\/tcp\]/.exec(text)[1]) };
}
