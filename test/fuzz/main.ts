// npm run fuzz: a million inputs for each target, made from a seed that is printed.
//
//     npm run fuzz -- --target decode --seed 7 --inputs 5000    fewer of them, the same every time
//     npm run fuzz -- --target decode --seed 7 --number 1234    one of them again
//     npm run fuzz -- --target decode --input FILE              one that was kept
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fuzz } from "./fuzz-run.ts";
import type { FuzzTarget } from "./fuzz-target.ts";
import { inputOf, targetOf, targets } from "./targets.ts";

const findings = "fuzz-results";
const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Date.now() >>> 0) },
    target: { type: "string", multiple: true, default: targets.map(({ name }) => name) },
    inputs: { type: "string", default: "1000000" },
    number: { type: "string" },
    input: { type: "string" },
  },
});
const chosen = values.target.map((name) => {
  const target = targetOf(name);
  if (target === undefined) throw new Error(`no target ${name}: ${targets.map((one) => one.name).join(", ")}`);
  return target;
});
const seed = wholeNumber(values.seed);

process.exitCode = values.number !== undefined || values.input !== undefined ? await again() : await all();

/** Every target, each to its end or its first finding. */
async function all(): Promise<number> {
  const count = wholeNumber(values.inputs);
  console.log(`seed ${seed}: ${count} inputs for each of ${chosen.map(({ name }) => name).join(", ")}`);
  let failures = 0;
  for (const target of chosen) {
    const finding = await fuzz({ target: target.name, seed, count });
    if (finding === undefined) continue;
    failures++;
    keep(target, finding.number, finding.reason);
  }
  console.log(failures === 0 ? "nothing found" : `${failures} of ${chosen.length} targets failed`);
  return failures === 0 ? 0 : 1;
}

/** One input again, in this process. */
async function again(): Promise<number> {
  for (const target of chosen) {
    const input =
      values.input !== undefined
        ? Uint8Array.from(readFileSync(values.input))
        : inputOf(target, seed, wholeNumber(values.number ?? "0"));
    const began = performance.now();
    await target.run(input);
    console.log(`${target.name}: ${input.length} bytes were read in ${(performance.now() - began).toFixed(1)} ms`);
  }
  return 0;
}

function keep(target: FuzzTarget, number: number, reason: string): void {
  mkdirSync(findings, { recursive: true });
  const file = join(findings, `${target.name}-${seed}-${number}.bin`);
  writeFileSync(file, inputOf(target, seed, number));
  console.log(`${target.name}: input ${number}: ${reason}`);
  console.log(`it is kept in ${file}; again with: npm run fuzz -- --target ${target.name} --input ${file}`);
  console.log(`or: npm run fuzz -- --target ${target.name} --seed ${seed} --number ${number}`);
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number >= 2 ** 32) throw new Error(`${text} is no whole number below 2^32`);
  return number;
}
