import { recordBytes, writeAlive, writeKnock, writeLosses, writeTraffic } from "../../src/capture/knock-record.ts";
import { RecordReader, type RecordReceiver } from "../../src/capture/record-reader.ts";
import { dropReasons } from "../../src/decode/knock.ts";
import { KnockBuffer } from "../../src/decode/knock-buffer.ts";
import { KnockTracker } from "../../src/sequence/knock-tracker.ts";
import { compilePolicies } from "../fake/policy-text.ts";
import { type FuzzTarget, guarded, promised } from "./fuzz-target.ts";
import { joined, mutated } from "./mutation.ts";
import { Random } from "./random.ts";

/** How the stream is cut into chunks stands in its first bytes. */
const planBytes = 4;

/** What a capture child writes to its pipe, cut anywhere; the knocks go on to the matcher, as in the agent. */
export const recordsTarget: FuzzTarget = {
  name: "records",
  make: (random) => {
    const stream = joined(...Array.from({ length: random.below(6) }, () => record(random)));
    return joined(random.bytes(planBytes), random.oneIn(3) ? stream : mutated(stream, random));
  },
  run: (input) => {
    const stream = input.subarray(planBytes);
    const matching = input[0] === 0; // one of 256: making a matcher costs a thousand times a record
    const whole = read(stream, [stream.length], 0, matching);
    const cut = read(stream, cuts(input), 0xff, matching);
    promised(whole.join() === cut.join(), "records are the same however their bytes are cut");
  },
};

function cuts(input: Uint8Array): number[] {
  const random = new Random(new DataView(joined(input, new Uint8Array(planBytes)).buffer).getUint32(0), 0);
  return Array.from({ length: 200 }, () => random.below(random.oneIn(3) ? 200 : 20));
}

/** Everything that a reader of these chunks tells, in order. */
function read(stream: Uint8Array, sizes: readonly number[], guard: number, matching: boolean): readonly unknown[] {
  const told: (string | number)[] = [];
  const reader = new RecordReader(receiver(told, matching ? matcher(told) : undefined));
  let at = 0;
  let broken = false;
  for (const size of [...sizes, stream.length]) {
    const chunk = guarded(stream.subarray(at, at + size), guard);
    const before = told.length;
    const garbage = reader.read(chunk.bytes) === "garbage";
    promised(chunk.intact(), "nothing is written outside the chunk");
    promised(!broken || (garbage && told.length === before), "nothing is read after garbage");
    broken = garbage;
    at += size;
    if (at > stream.length) break;
  }
  const records = Math.ceil(stream.length / recordBytes);
  promised(told.length <= records * (dropReasons.length + 1) * 2, "a record says no more than it holds");
  return [...told, broken ? "garbage" : "read"];
}

const { policies } = compilePolicies([{ name: "door", steps: "[7000/udp, 7001/tcp, 7002/udp]" }]);
const nothing = () => undefined;

function matcher(told: (string | number)[]): KnockTracker {
  const tracker = new KnockTracker({
    maxSources: 16,
    seed: 1,
    report: { outcome: (kind, _, step) => void told.push(`${kind} ${step}`), evicted: nothing },
    complete: ({ action }) => void told.push(action),
  });
  tracker.usePolicies(policies);
  return tracker;
}

/** Tells what it receives, and hands the knocks to a matcher, as the agent does. */
function receiver(told: (string | number)[], tracker: KnockTracker | undefined): RecordReceiver {
  const count = (value: number) => promised(Number.isSafeInteger(value) && value >= 0, "a count is a whole number");
  return {
    knock: (knock) => {
      promised(Number.isFinite(knock.atMicros) && Number.isFinite(knock.stampMicros), "time is a number");
      told.push([knock.atMicros, knock.stampMicros, knock.port, knock.sequenceNumber, ...knock.source].join(" "));
      tracker?.observe(knock);
    },
    traffic: ({ link, packets, kernelDrops, interfaceDrops }) => {
      for (const value of [link, packets, kernelDrops, interfaceDrops]) count(value);
      told.push(`${link} ${packets} ${kernelDrops} ${interfaceDrops}`);
    },
    discarded: (reason, discarded) => void told.push(reason, discarded),
    ringFull: (lost) => void told.push("ring", lost),
    alive: (version) => void told.push("alive", version),
  };
}

const times = [0, 1, 1e6, 2e6, 1e9, 1.7e15, -1, Number.MAX_SAFE_INTEGER, 1e300, -1e300, Number.NaN, Infinity] as const;

/** A record of any kind; most knocks are right ones, now and then at a time that cannot be. */
function record(random: Random): Uint8Array {
  const bytes = new Uint8Array(recordBytes);
  const view = new DataView(bytes.buffer);
  const time = () => (random.oneIn(4) ? random.pick(times) : 1e9 + random.below(20_000_000));
  switch (random.below(6)) {
    case 0:
      writeAlive(view, 0, random.word());
      return bytes;
    case 1:
      writeTraffic(view, 0, { link: random.below(4), packets: time(), kernelDrops: time(), interfaceDrops: time() });
      return bytes;
    case 2:
      writeLosses(view, 0, Uint32Array.from(random.bytes(dropReasons.length)), random.below(3));
      return bytes;
    default:
      writeKnock(view, 0, knock(random, time()));
      return bytes;
  }
}

function knock(random: Random, atMicros: number): KnockBuffer {
  const port = 7000 + random.below(3);
  const protocol = random.oneIn(9) ? random.below(256) : port === 7001 ? 6 : 17;
  const source = Uint32Array.of(0, 0, 0xffff, 0xc0000200 + random.below(3));
  const rest = { port, protocol, atMicros, stampMicros: atMicros, sequenceNumber: random.below(4) };
  return Object.assign(new KnockBuffer(), rest, { source });
}
