import { WatchCheck } from "../../src/capture/watch-check.ts";
import { watchFor } from "../../src/capture-watch.ts";
import { decodeFrame } from "../../src/decode/decode.ts";
import { tcpFlag } from "../../src/decode/knock.ts";
import { KnockBuffer } from "../../src/decode/knock-buffer.ts";
import { type Address, formatAddress, parseAddress, sameAddress } from "../../src/policy/address.ts";
import { type Compilation, compile } from "../../src/policy/compile.ts";
import { markOneTimeLine } from "../../src/policy/one-time.ts";
import { KnockTracker } from "../../src/sequence/knock-tracker.ts";
import type { Completion } from "../../src/sequence/outcome.ts";
import { ethernet, packet } from "../fixture/capture-frames.ts";
import { type CasePacket, knockdCases } from "./knockd-cases.ts";
import { plainOptions } from "./policy-text.ts";

const { addresses } = knockdCases;
const localAddresses = ["s1", "s2", "s1v6", "s2v6"].map(addressOf);
const isLocal = (target: Address) => localAddresses.some((local) => sameAddress(local, target));

/** The address that a symbol of the cases stands for. */
export function addressOf(symbol: string): Address {
  const address = parseAddress(addresses[symbol] ?? symbol);
  if (address === undefined) throw new Error(`no address ${symbol}`);
  return address;
}

/**
 * A knockd.conf in the stages that a packet goes through: decoder, watch and tracker as the agent has them. One-time lines are
 * marked in memory.
 */
export class KnockdWorld {
  private readonly conf: string;
  private readonly files: Record<string, string>;
  private readonly knock = new KnockBuffer();
  private readonly tracker: KnockTracker;
  private readonly complete: (completion: Completion) => void;
  private check = new WatchCheck(watchFor([], []), localAddresses);
  private packets = 0;

  constructor(
    conf: string,
    files: Readonly<Record<string, string>> | undefined,
    complete: (completion: Completion) => void,
  ) {
    this.conf = conf;
    this.files = { ...files };
    this.complete = complete;
    this.tracker = new KnockTracker({
      maxSources: 1000,
      seed: 1,
      report: { outcome: () => {}, evicted: () => {} },
      complete: (completion) => this.take(completion),
      isLocal,
    });
    this.load();
  }

  /** One packet, from the bytes of its frame on. */
  send(sent: CasePacket, beganMicros: number): void {
    const flags = sent.flags.split(",").reduce((bits, flag) => bits | (tcpFlag[flag as keyof typeof tcpFlag] ?? 0), 0);
    const bytes = ethernet(
      packet({
        source: formatAddress(addressOf(sent.src)),
        target: formatAddress(addressOf(sent.dst)),
        protocol: sent.proto,
        port: sent.port,
        flags,
        sourcePort: 20_000 + this.packets,
        sequenceNumber: this.packets++,
      }),
    );
    const stampMicros = beganMicros + sent.at_ms * 1000;
    const dropped = decodeFrame({ bytes, linkType: "ethernet", stampMicros, interface: "eth0" }, this.knock);
    if (dropped === undefined && this.check.verdict(this.knock) === undefined) this.tracker.observe(this.knock);
  }

  private take(completion: Completion): void {
    const { knockd } = completion.policy;
    this.complete(completion);
    if (knockd?.oneTime === undefined) return;
    const { file, line, text } = knockd.oneTime;
    this.files[file] = markOneTimeLine(this.files[file] ?? "", line, text) ?? "";
    queueMicrotask(() => this.load());
  }

  private load(): Compilation {
    const document = {
      origin: "knockd.conf",
      format: "knockd-conf",
      text: this.conf,
      oneTimeFiles: this.files,
    } as const;
    const compilation = compile([document], { ...plainOptions, allowCommands: true });
    this.check = new WatchCheck(watchFor(compilation.policies, []), localAddresses);
    this.tracker.usePolicies(compilation.policies);
    return compilation;
  }
}
