import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "./host.ts";
import type { World } from "./world.ts";

/**
 * A firewall as people have it who run knockd: a table of their own with ports closed, and scripts that let one address in to one port
 * and out again.
 */
export class CommandFirewall {
  /** `open.sh PORT ADDRESS` and `close.sh PORT ADDRESS`. */
  readonly open: string;
  readonly close: string;

  private constructor(folder: string) {
    this.open = join(folder, "open.sh");
    this.close = join(folder, "close.sh");
  }

  /** Closes the TCP ports on a host. */
  static async build(world: World, host: Host, ports: readonly number[]): Promise<CommandFirewall> {
    const input = `table inet firewall {
      set allowed4 { type inet_service . ipv4_addr; }
      set allowed6 { type inet_service . ipv6_addr; }
      chain input { type filter hook input priority 0;
        tcp dport . ip saddr @allowed4 accept
        tcp dport . ip6 saddr @allowed6 accept
        tcp dport { ${ports.join(", ")} } drop
      }
    }`;
    await host.expect("nft", ["-f", "-"], { input });
    const folder = join(world.folder, `firewall-${host.name}`);
    mkdirSync(folder);
    const firewall = new CommandFirewall(folder);
    for (const [path, act] of [
      [firewall.open, "add"],
      [firewall.close, "delete"],
    ] as const) {
      const family = 'case "$2" in *:*) family=6 ;; *) family=4 ;; esac';
      writeFileSync(path, `#!/bin/sh\n${family}\nnft ${act} element inet firewall allowed$family "{ $1 . $2 }"\n`);
      chmodSync(path, 0o755);
    }
    return firewall;
  }
}
