import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "./host.ts";
import { type RunningProcess, type RunResult, runToEnd } from "./running-process.ts";
import type { World } from "./world.ts";

let services = 0;

/** A real sshd with host key, user key and configuration of its own, which lets root in by key only. */
export class SshService {
  readonly process: RunningProcess;
  readonly port: number;
  private readonly folder: string;

  private constructor(process: RunningProcess, port: number, folder: string) {
    this.process = process;
    this.port = port;
    this.folder = folder;
  }

  /** Resolves when sshd listens. */
  static async start(world: World, host: Host, port = 22): Promise<SshService> {
    const folder = join(world.folder, `ssh-${services++}`);
    mkdirSync(folder, { mode: 0o700 });
    mkdirSync("/run/sshd", { recursive: true, mode: 0o755 }); // sshd's privilege separation folder: it refuses to start without
    for (const key of ["host-key", "user-key"]) {
      await runToEnd("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, key)]);
    }
    writeFileSync(join(folder, "sshd_config"), configuration(folder, port));
    const process = host.start("/usr/sbin/sshd", ["-D", "-e", "-f", join(folder, "sshd_config")]);
    await process.waitForLine(`Server listening on :: port ${port}`);
    return new SshService(process, port, folder);
  }

  /** Runs a command through ssh from another host; code 255 when ssh does not get in within `timeoutSeconds` (2). */
  ssh(from: Host, address: string, command: string, timeoutSeconds = 2): Promise<RunResult> {
    return from.run("ssh", this.clientArguments(address, command, timeoutSeconds));
  }

  /** The same by a ProxyCommand, whose standard streams are ssh's line to the server. */
  sshThrough(proxyCommand: string, from: Host, address: string, command: string): Promise<RunResult> {
    return from.run("ssh", ["-o", `ProxyCommand=${proxyCommand}`, ...this.clientArguments(address, command, 10)]);
  }

  /** Starts an ssh session that stays: what is written to it goes to the command, whose output comes back as lines. */
  session(from: Host, address: string, command: string): RunningProcess {
    return from.start("ssh", this.clientArguments(address, command, 5));
  }

  private clientArguments(address: string, command: string, timeoutSeconds: number): string[] {
    const options = {
      BatchMode: "yes",
      ConnectTimeout: timeoutSeconds,
      GlobalKnownHostsFile: "/dev/null",
      IdentitiesOnly: "yes",
      LogLevel: "ERROR",
      StrictHostKeyChecking: "no",
      UserKnownHostsFile: "/dev/null",
    };
    const flags = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    const key = join(this.folder, "user-key");
    return ["-F", "/dev/null", ...flags, "-i", key, "-p", String(this.port), `root@${address}`, command];
  }
}

function configuration(folder: string, port: number): string {
  return [
    `Port ${port}`,
    `HostKey ${join(folder, "host-key")}`,
    `AuthorizedKeysFile ${join(folder, "user-key.pub")}`,
    `PidFile ${join(folder, "sshd.pid")}`,
    "StrictModes no",
    `UsePAM ${rootIsLocked() ? "yes" : "no"}`,
    "PermitRootLogin prohibit-password",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "UseDNS no",
    "MaxStartups 100:30:200",
    "",
  ].join("\n");
}

/** Without PAM sshd turns away a user whose password field begins with `!`. */
function rootIsLocked(): boolean {
  return /^root:!/m.test(readFileSync("/etc/shadow", "utf8"));
}
