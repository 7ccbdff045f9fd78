import { expect, test } from "vitest";
import { tellPart } from "./bench-results.ts";
import { floodedLatency, idleLatency, latencyPart } from "./latency.ts";

const knocks = 200;
const junkPerSecond = 50_000;
/** Where a knock fails it costs two seconds; what has been seen in so many is enough. */
const floodedKnocks = { knockgate: 200, knockd: 20, fwknopd: 10 };

test("how soon a right knock opens, beside the real knockd and fwknopd", async () => {
  const figures = await idleLatency(knocks);
  const measured =
    "From the last packet of a knock being handed to the kernel, in the client's namespace, to the kernel's notice that " +
    "element or rule is in force (element), and to the first connection that is accepted of attempts every 0.2 ms " +
    "(connection). All gates are knocked on in turn. knockd runs `nft add element`, fwknopd its own iptables commands.";
  tellPart(
    latencyPart("Last knock to open", measured, figures, { medianMs: 1, p99Ms: 5 }, { knockd: 30, fwknopd: 100 }),
  );
  for (const { rival, reached } of figures) if (rival === "knockgate") expect(reached).toBe(knocks);
});

test("the same while junk comes in that every gate has to look at", async () => {
  const figures = await floodedLatency(floodedKnocks, junkPerSecond);
  const measured =
    `The same while ${junkPerSecond} packets a second from 1,000,000 sources pass each gate's filter: steps of the ` +
    "sequence, and packets for fwknopd's port. A knock that has not opened in two seconds counts as failed.";
  const none = { knockd: undefined, fwknopd: undefined };
  tellPart(latencyPart("Last knock to open, under junk", measured, figures, { medianMs: 5, p99Ms: 50 }, none));
  expect(figures.find(({ rival }) => rival === "knockgate")?.reached).toBe(floodedKnocks.knockgate);
});
