import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AgentProcess } from "./agent-process.ts";
import { type Host, programPath } from "./host.ts";
import { Sniffer } from "./sniffer.ts";
import { SshService } from "./ssh-service.ts";
import { World } from "./world.ts";

const main = programPath("../../dist/main.js");
const steps = ["8911/udp", "7391/tcp", "9221/udp"];
/** An address that nobody has, with a neighbour entry: packets to it leave, and nothing comes back. */
const nobody = "fd77::77";

let world: World;
let gate: Host;
let client: Host;
let agent: AgentProcess;
let service: SshService;
let profiles: string;

beforeAll(async () => {
  world = await World.build("exec", ["gate", "client"]);
  [gate, client] = [world.host("gate"), world.host("client")];
  service = await SshService.start(world, gate, 2222);
  agent = await AgentProcess.start(world, gate, {
    policies: `apiVersion: knockgate.io/v1alpha1
kind: KnockSequence
metadata: { name: ssh, namespace: bastion }
spec:
  knock: { steps: [${steps.join(", ")}] }
  opens: { ports: [2222], for: 60s }
`,
  });
  profiles = join(world.folder, "profiles.yaml");
  const profile = `{ host: ${gate.ipv4}, steps: [${steps.join(", ")}], open: 2222 }`;
  writeFileSync(profiles, `profiles:\n  bastion: ${profile}\n`, { mode: 0o600 });
  await client.expect("ip", ["neigh", "replace", nobody, "lladdr", "02:77:00:00:00:77", "dev", client.link]);
}, 30_000);

afterAll(() => world?.remove());

function knock(...args: readonly string[]) {
  return client.run(process.execPath, [main, "knock", ...args]);
}

test("ssh knocks by itself: its ProxyCommand is a profile and nc, and nobody types a sequence", async () => {
  await agent.cli("revoke", client.ipv4);
  expect((await service.ssh(client, gate.ipv4, "echo in", 1)).code).toBe(255);
  const proxy = `${process.execPath} ${main} knock @bastion --profiles ${profiles} --exec 'nc %h %p'`;
  expect(await service.sshThrough(proxy, client, gate.ipv4, "echo in; exit 3")).toEqual({
    code: 3,
    signal: undefined,
    stdout: "in\n",
    stderr: "",
  });
});

test("a command is told where the door is, and its exit code is that of knock", async () => {
  const told = 'echo "$KNOCKGATE_HOST $KNOCKGATE_ADDRESS $KNOCKGATE_PORT"; exit 42';
  expect(await knock("@bastion", "--profiles", profiles, "--exec", told)).toEqual({
    code: 42,
    signal: undefined,
    stdout: `${gate.ipv4} ${gate.ipv4} 2222\n`,
    stderr: "",
  });
});

test("a command that is ended by a signal ends with 128 and its number, as in a shell", async () => {
  expect((await knock("@bastion", "--profiles", profiles, "--exec", "kill -TERM $$")).code).toBe(143);
});

test("SIGHUP, by which ssh ends its ProxyCommand, reaches the command", async () => {
  const command = 'sleep 30 >/dev/null & trap "kill $!; echo hung up; exit 7" HUP; echo up; wait'; // a trap ends a wait at once
  const args = [main, "knock", "@bastion", "--profiles", profiles, "--exec", command];
  const knocking = client.start(process.execPath, args);
  await knocking.waitForLine("up");
  knocking.signal("SIGHUP");
  expect(await knocking.ended).toEqual({ code: 7, signal: undefined });
  expect(knocking.lines).toEqual(["up", "hung up"]);
});

test("a host whose first address nobody answers is knocked on at the next one", async () => {
  await agent.cli("revoke", client.ipv4);
  const hosts = join(world.folder, "hosts");
  writeFileSync(hosts, `${nobody} two.example\n${gate.ipv4} two.example\n`);
  const sniffer = await Sniffer.start(client, `udp and dst host ${nobody}`);
  const line = `mount --bind ${hosts} /etc/hosts && exec "$@"`;
  const args = [process.execPath, main, "knock", "two.example", ...steps, "--open", "2222"];
  const { code, stdout } = await client.run("unshare", ["-m", "sh", "-c", line, "sh", ...args]);
  expect(stdout).toMatch(new RegExp(`^2222/tcp of ${gate.ipv4} answered after 1\\d{3}\\.\\d ms\n$`));
  expect(code).toBe(0);
  expect(await sniffer.stop()).toHaveLength(2);
});

test("profiles that others may read are not used, and nothing is sent", async () => {
  chmodSync(profiles, 0o644);
  const sniffer = await Sniffer.start(client, `dst host ${gate.ipv4} and (tcp or udp)`);
  const ended = await knock("@bastion", "--profiles", profiles);
  chmodSync(profiles, 0o600);
  expect(ended).toMatchObject({
    code: 1,
    stderr: `error: ${profiles} may be used by others (mode 0644): run \`chmod 600 ${profiles}\`.\n`,
  });
  expect(await sniffer.stop()).toEqual([]);
});
