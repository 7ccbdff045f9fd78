import { readFileSync } from "node:fs";

/** One packet of a case; `src` and `dst` are symbols of `addresses`. */
export interface CasePacket {
  readonly at_ms: number;
  readonly src: string;
  readonly dst: string;
  readonly proto: "tcp" | "udp";
  readonly port: number;
  /** Flags that are set, comma separated; empty: none. */
  readonly flags: string;
}

/** How often a door's command ran for a source. */
export interface CaseOpening {
  readonly door: string;
  readonly src: string;
  readonly times: number;
}

/** One case observed on knockd 0.8, with what Knockgate has to do. */
export interface KnockdCase {
  readonly name: string;
  readonly kind: string;
  readonly why: string;
  readonly knockd_conf: string;
  readonly packets: readonly CasePacket[];
  readonly expect: readonly CaseOpening[];
  readonly settle_ms?: number;
  readonly files?: Readonly<Record<string, string>>;
  /** Why knockd 0.8 does otherwise; null where it does the same. */
  readonly differs: string | null;
}

/** One configuration that knockd 0.8 starts with or not. */
export interface KnockdConfigCase {
  readonly name: string;
  readonly kind: string;
  readonly conf: string;
  readonly accepted: boolean;
  /** What knockd printed before its usage text. */
  readonly message: string | null;
  readonly files?: Readonly<Record<string, string>>;
}

/** The cases of test/fixture/knockd-cases.json. */
export const knockdCases = JSON.parse(
  readFileSync(new URL("../fixture/knockd-cases.json", import.meta.url), "utf8"),
) as {
  readonly addresses: Readonly<Record<string, string>>;
  readonly cases: readonly KnockdCase[];
  readonly config_cases: readonly KnockdConfigCase[];
};
