import { type Command, Option } from "commander";
import { parseDuration } from "../policy/duration.ts";
import { example, type Wiring } from "./wiring.ts";

interface KnockFlags {
  readonly udp?: true;
  readonly delay?: string;
  readonly ipv4?: true;
  readonly ipv6?: true;
  readonly verbose?: true;
  readonly open?: string;
  readonly wait?: string;
  readonly tries?: string;
  readonly exec?: string;
  readonly profiles?: string;
}

/** Wires `knockgate knock`. */
export function addKnock(program: Command, { io, commands, finish }: Wiring): void {
  const knock = program
    .command("knock")
    .description("Knocks: one SYN a TCP port, one byte a UDP port, in the order given.")
    .version(program.version() ?? "", "-V, --version", "print the version")
    .argument("<host>", "name, address, or @NAME: a profile, which has its own ports")
    .argument("[port...]", "what to knock on: 7000, 7000:udp or 7000/udp");
  addFlags(knock).addHelpText(
    "after",
    example(
      "knockgate knock bastion.example 7000/udp 8000 9000/udp --open 22 && ssh bastion.example",
      "knockgate knock @bastion --exec 'ssh bastion.example'",
    ),
  );
  knock.action(async (host: string, ports: string[]) => {
    const isProfile = host.startsWith("@");
    if (!isProfile && ports.length === 0) knock.error("error: missing required argument 'port'");
    if (isProfile && ports.length > 0) knock.error("error: a profile has its own ports: name a host, or no ports.");
    const { udp, delay, ipv4, ipv6, verbose, open, wait, tries, exec, profiles } = knock.opts<KnockFlags>();
    const waitMs = wait === undefined ? undefined : readWait(knock, wait);
    const family = ipv6 ? 6 : ipv4 ? 4 : undefined;
    const flags = {
      udp: udp === true,
      delay,
      family,
      verbose: verbose === true,
      open,
      waitMs,
      tries,
      exec,
      profiles,
    } as const;
    const start = await commands.knock();
    finish(await start({ host, ports, ...flags }, io));
  });
}

/** knockd's client has the first five, -V and -h. */
function addFlags(knock: Command): Command {
  return knock
    .option("-u, --udp", "knock on every port by UDP")
    .option("-d, --delay <ms>", "milliseconds to wait after every hit (default: 0)")
    .addOption(new Option("-4, --ipv4", "use IPv4").conflicts("ipv6"))
    .addOption(new Option("-6, --ipv6", "use IPv6").conflicts("ipv4"))
    .option("-v, --verbose", "show every hit")
    .option("--open <port>", "afterwards wait until this TCP port answers, and tell how long it took")
    .option("--wait <duration>", "how long to wait for --open (default: 10s, or a second for each try)")
    .option("--tries <n>", "knock up to so many times while that port is silent, in turn as usual and in one burst")
    .option("--exec <command>", "when the port is open run this by /bin/sh; its exit code is that of knock")
    .option(
      "--profiles <path>",
      "the file of profiles [$KNOCKGATE_PROFILES] (default: ~/.config/knockgate/profiles.yaml)",
    );
}

function readWait(knock: Command, text: string): number {
  const micros = parseDuration(text) ?? knock.error(`error: --wait: "${text}" is not a duration: write 10s or 1m.`);
  return micros / 1000;
}
