import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { type Host, programPath } from "./host.ts";
import { World } from "./world.ts";

const main = programPath("../../dist/main.js");
const doors = { tcp: ["8921/tcp", "7411/tcp", "9241/tcp"], udp: ["8922/udp", "7412/udp", "9242/udp"] } as const;
const ports = { tcp: 2401, udp: 2402 } as const;
const reads = "8923,7413:udp,9243";

let world: World;
let gate: Host;
let client: Host;
let agent: AgentProcess;

/** The doors: two policies, and a third one that `knockgate convert` makes of a knockd.conf. */
beforeAll(async () => {
  world = await World.build("ways", ["gate", "client"]);
  [gate, client] = [world.host("gate"), world.host("client")];
  await gate.serve(["2401/tcp", "2402/tcp", "2403/tcp"]);
  const conf = join(world.folder, "knockd.conf");
  const rule = "INPUT -s %IP% -p tcp --dport 2403 -j ACCEPT";
  writeFileSync(
    conf,
    `[ssh]\n sequence = ${reads}\n command = iptables -I ${rule}\n stop_command = iptables -D ${rule}\n cmd_timeout = 60\n`,
  );
  const converted = await gate.expect(process.execPath, [main, "convert", conf]);
  agent = await AgentProcess.start(world, gate, {
    policies: `${policy("tcp")}---\n${policy("udp")}---\n${converted}`,
  });
}, 30_000);

afterAll(() => world?.remove());

/** One call a step, as people put them in a loop of their shell. */
const ways = {
  "Debian's knock": {
    tcp: (address, steps) => ["knock", address, ...steps],
    udp: (address, steps) => ["knock", "-u", address, ...steps],
  },
  "nmap, a call for each step": {
    tcp: loop((family) => `nmap ${family} -n -Pn -sS --max-retries 0 -p $port $address`),
    udp: loop((family) => `nmap ${family} -n -Pn -sU --max-retries 0 -p $port $address`),
  },
  "nmap without privileges (connect)": {
    tcp: loop((family) => `nmap ${family} -n -Pn -sT --max-retries 0 -p $port $address`),
    udp: undefined,
  },
  "nc -z": { tcp: loop(() => "nc -z -w1 $address $port"), udp: loop(() => "nc -u -z -v -w1 $address $port") },
  "echo into nc -u": { tcp: undefined, udp: loop(() => "echo x | nc -u -w1 $address $port") },
  ncat: {
    tcp: loop(() => "ncat -w 500ms $address $port </dev/null"),
    udp: loop(() => "echo x | ncat -u -w 500ms $address $port"),
  },
  "bash's /dev/tcp and /dev/udp": {
    tcp: loop(() => 'timeout 1 bash -c "echo >/dev/tcp/$address/$port"'),
    udp: loop(() => 'bash -c "echo x >/dev/udp/$address/$port"'),
  },
} as const satisfies Readonly<Record<string, Way>>;

type Command = ((address: string, steps: readonly string[]) => readonly string[]) | undefined;
interface Way {
  readonly tcp: Command;
  readonly udp: Command;
}

function loop(command: (family: string) => string): NonNullable<Command> {
  return (address, steps) => {
    const line = command(address.includes(":") ? "-6" : "");
    return ["sh", "-c", `address=${address}; for port in ${steps.join(" ")}; do ${line}; done; true`];
  };
}

describe.each(["ipv4", "ipv6"] as const)("over %s a door opens for", (family) => {
  test.each(
    Object.entries(ways).flatMap(([name, way]: readonly [string, Way]) =>
      (["tcp", "udp"] as const).flatMap((protocol) => {
        const command = way[protocol];
        return command === undefined ? [] : [{ name, protocol, command }];
      }),
    ),
  )("$name by $protocol", async ({ protocol, command }) => {
    await agent.cli("revoke", client[family]);
    const port = ports[protocol];
    expect(await client.connect(gate[family], port, { timeoutMs: 200 })).toBe("silent");
    const from = agent.process.lines.length;
    const [program = "", ...args] = command(
      gate[family],
      doors[protocol].map((step) => step.split("/")[0] ?? ""),
    );
    await client.run(program, args);
    await agent.process.waitForLine(/grant-added/, { from });
    expect(await client.connect(gate[family], port)).toBe("open");
  });
});

test("what convert makes of a knockd.conf opens for the client that knocked on knockd's door", async () => {
  expect(await client.connect(gate.ipv4, 2403, { timeoutMs: 200 })).toBe("silent");
  const from = agent.process.lines.length;
  await client.expect("knock", [gate.ipv4, ...reads.split(",")]);
  expect(await agent.process.waitForLine(/grant-added/, { from })).toContain("/ssh");
  expect(await client.connect(gate.ipv4, 2403)).toBe("open");
});

function policy(protocol: "tcp" | "udp"): string {
  return `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ${protocol}, namespace: bastion }
spec:
  knock: { steps: [${doors[protocol].join(", ")}], within: 30s }
  opens: { ports: [${ports[protocol]}], for: 60s }
`;
}
