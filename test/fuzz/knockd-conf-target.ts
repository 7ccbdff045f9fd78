import { compile } from "../../src/policy/compile.ts";
import { readKnockdConf } from "../../src/policy/knockd-conf.ts";
import { isProblemCode } from "../../src/policy/problem-catalogue.ts";
import { plainOptions } from "../fake/policy-text.ts";
import { type FuzzTarget, promised } from "./fuzz-target.ts";
import { mutatedText, strangeText } from "./mutation.ts";
import type { Random } from "./random.ts";

const texts = [
  "[options]\n UseSyslog\n LogFile = /var/log/knockd.log\n[ssh]\n sequence = 7000,8000:udp,9000\n tcpflags = syn,!ack\n command = open %IP%\n",
  "[a b]\n one_time_sequences = seqs\n seq_timeout = 5 # five\n target = 2001:db8::1\n start_command_6 =\n stop_command = x\n",
  "[x]\r\n  Sequence = 1,2,3\r\n  Cmd_Timeout = -1\r\n[x]\r\n  sequence=0\r\n",
] as const;

const words = [
  ..."[options]\n|[]|[ ]|[\n|]\n|[__proto__]\n|=|==|__proto__ = 1\n|constructor = x\n|#|\r|\t|,|:|:udp|:|-1|70000|99999999999999999999|UseSyslog\n".split(
    "|",
  ),
  ..."sequence = |one_time_sequences = seqs\n|one_time_sequences = __proto__\n|tcpflags = |!|syn|!ack|target = |300.1.1.1|::|/24|command = %IP%\n|timeout = soon\n".split(
    "|",
  ),
] as const;

const oneTimeFiles = { seqs: "# used\n 7000,8000\n7100:udp\n" };

/** knockd.conf files, from the text to what they compile to. */
export const knockdConfTarget: FuzzTarget = {
  name: "knockd-conf",
  make: (random) => new TextEncoder().encode(text(random)),
  run: (input) => {
    const text = new TextDecoder().decode(input);
    const { faults, doors } = readKnockdConf(text, oneTimeFiles);
    const lines = text.split("\n").length;
    for (const { line, code } of faults) {
      promised(isProblemCode(code), "a fault is one of the catalogue's");
      promised(line >= 1 && line <= lines, `line ${line} of ${lines} is one of the text`);
    }
    for (const { steps = [], timeoutSeconds } of doors) {
      promised(steps.length >= 1 && steps.length <= 32, "a door has 1 to 32 steps");
      promised(Number.isInteger(timeoutSeconds), "a timeout is a whole number");
      promised(
        steps.every((key) => key >= 0 && key < 131_072),
        "a step is a port",
      );
    }
    const document = { origin: "knockd.conf", format: "knockd-conf", text, oneTimeFiles } as const;
    const { policies } = compile([document], { ...plainOptions, allowCommands: true });
    promised(new Set(policies.map(({ name }) => name)).size === policies.length, "no two policies have one name");
    promised(
      policies.every(({ name }) => !/\p{C}/u.test(name)),
      "a name is one that may be logged",
    );
  },
};

function text(random: Random): string {
  if (random.oneIn(16)) return Array.from({ length: random.below(40) }, () => random.pick(words)).join("");
  if (random.oneIn(64)) return strangeText(random);
  return mutatedText(random.pick(texts), words, random);
}
