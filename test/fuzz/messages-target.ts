import { MessageReader } from "../../src/capture/message-reader.ts";
import { type FuzzTarget, guarded, promised } from "./fuzz-target.ts";
import { mutated, mutatedText, strangeText } from "./mutation.ts";
import { Random } from "./random.ts";

const longestText = 500;
const lines = [
  { kind: "ready", opened: ["eth0", "lo"], failed: [], kept: undefined, libpcap: "libpcap version 1.10.3" },
  { kind: "ready", opened: [], failed: ["Cannot capture on eth1: no such device."], kept: "It keeps CapEff: 3000." },
  { kind: "fault", cause: "link", message: "The link went down." },
  { kind: "fault", cause: "error", message: "x".repeat(600) },
  { cmd: "NODE_HANDLE", type: "net.Socket", msg: {} },
].map((message) => JSON.stringify(message));
const words = [
  '"ready"',
  '"fault"',
  '"kind":',
  '"opened":',
  '"__proto__":',
  '"toString":',
  '"length":',
  "null",
  "true",
  "1e999",
  "-0",
  "[]",
  "{}",
  "[[",
  '"\\u0000"',
  '"\\ud800"',
  "\n",
] as const;

/** What a capture child says beside its records: lines of JSON, wrong ones, and bytes that are none. */
export const messagesTarget: FuzzTarget = {
  name: "messages",
  make: (random) => {
    const text = Array.from({ length: 1 + random.below(3) }, () => `${line(random)}\n`).join("");
    const bytes = new TextEncoder().encode(text);
    return random.oneIn(4) ? mutated(bytes, random) : bytes;
  },
  run: (input) => {
    const whole = heard(input, [input.length]);
    const random = new Random(input.length, input[0] ?? 0);
    const cut = heard(
      input,
      Array.from({ length: 100 }, () => random.below(30)),
    );
    promised(whole === cut, "messages are the same however their bytes are cut");
  },
};

function line(random: Random): string {
  const right = random.pick(lines);
  if (random.oneIn(16)) return "[".repeat(random.below(5000));
  if (random.oneIn(16)) return strangeText(random);
  return random.oneIn(4) ? right : mutatedText(right, words, random);
}

/** Everything that a reader of these chunks tells. */
function heard(input: Uint8Array, sizes: readonly number[]): string {
  const told: string[] = [];
  const reader = new MessageReader((message) => {
    const texts = message.kind === "fault" ? [message.message] : [...message.opened, ...message.failed];
    if (message.kind === "ready") texts.push(message.kept ?? "", message.libpcap ?? "");
    for (const text of texts) promised(isPlain(text), "a text of a child is short and printable");
    told.push(JSON.stringify(message));
  });
  let at = 0;
  let broken = false;
  for (const size of [...sizes, input.length]) {
    const chunk = guarded(input.subarray(at, at + size), at & 0xff);
    const before = told.length;
    const garbage = reader.read(chunk.bytes) === "garbage";
    promised(chunk.intact(), "nothing is written outside the chunk");
    promised(!broken || (garbage && told.length === before), "nothing is read after garbage");
    broken = garbage;
    at += size;
    if (at > input.length) break;
  }
  return [...told, broken].join();
}

function isPlain(text: string): boolean {
  return text.length <= longestText && /^[\x20-\x7e]*$/.test(text);
}
