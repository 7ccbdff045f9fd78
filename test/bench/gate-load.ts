import type { Host } from "../netns/host.ts";

/** Puts so many grants of sources that nobody is into the set, in a few big transactions; they last an hour. */
export async function fillGrants(gate: Host, port: number, count: number): Promise<void> {
  const perBatch = 50_000;
  for (let from = 0; from < count; from += perBatch) {
    const elements: string[] = [];
    for (let at = from; at < Math.min(count, from + perBatch); at++)
      elements.push(`${addressOf(at)} . tcp . ${port} timeout 1h`);
    await gate.expect("nft", ["-f", "-"], {
      input: `add element inet knockgate granted4 { ${elements.join(", ")} }\n`,
    });
  }
}

function addressOf(number: number): string {
  return `11.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
}
