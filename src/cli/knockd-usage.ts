import type { Command } from "commander";
import { programVersion } from "./program-version.ts";
import { example, type Wiring } from "./wiring.ts";

interface KnockdFlags {
  readonly interface?: string;
  readonly config: string;
  readonly daemon?: true;
  readonly pidfile: string;
  readonly logfile?: string;
  readonly lookup?: true;
  readonly verbose?: true;
  readonly debug?: true;
  readonly onlyIpV4?: true;
}

/** Wires knockd's daemon. Words left over are ignored, as knockd does. */
export function addKnockd(program: Command, { io, commands, finish }: Wiring): void {
  const knockd = program
    .command("knockd")
    .description("Stands in for knockd's daemon, with its options, log lines and exit codes. Commands are allowed.")
    .version(`knockd 0.8\nas knockgate ${programVersion()} stands in for it`, "-V, --version", "print the version")
    .allowExcessArguments(true)
    .option("-i, --interface <name>", "the interface to listen on (default: Interface of the config, else eth0)")
    .option("-c, --config <path>", "the configuration", "/etc/knockd.conf")
    .option("-d, --daemon", "go to the background")
    .option("-p, --pidfile <path>", "with -d; PidFile of the config wins", "/var/run/knockd.pid")
    .option("-g, --logfile <path>", "a log file; LogFile of the config wins")
    .option("-l, --lookup", "show names of addresses in the log")
    .option("-v, --verbose", "show log lines on standard output")
    .option("-D, --debug", "show the config and every packet, steps too, on standard output")
    .option("-4, --only-ip-v4", "count no knocks on IPv6 addresses of this host")
    .addHelpText("after", "\nThe agent's options come from the environment, such as KNOCKGATE_STATE_DIR.")
    .addHelpText("after", example("knockgate knockd -d -i eth0 -c /etc/knockd.conf"));
  knockd.action(async () => {
    const flags = knockd.opts<KnockdFlags>();
    const start = await commands.knockd();
    const args = {
      interface: flags.interface,
      config: flags.config,
      daemon: flags.daemon === true,
      pidFile: flags.pidfile,
      logFile: flags.logfile,
      lookup: flags.lookup === true,
      verbose: flags.verbose === true,
      debug: flags.debug === true,
      onlyIpv4: flags.onlyIpV4 === true,
      usage: knockd.helpInformation(),
    };
    finish(await start(args, io));
  });
}

/** Whether knockd's daemon is asked for: its version is its own, and an option that it does not know ends well. */
export function isKnockd(argv: readonly string[]): boolean {
  return argv[0] === "knockd";
}
