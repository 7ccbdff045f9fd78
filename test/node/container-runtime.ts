import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../netns/eventually.ts";
import { runToEnd } from "../netns/running-process.ts";
import type { NodeMachine } from "./node-machine.ts";
import { buildToolboxImage, toolboxImage } from "./toolbox-image.ts";

const cniPrograms = "/usr/lib/cni";
const podRange = "10.244.1.0/24";

/** containerd with a pod network, a bridge as the simplest of them is: host-local addresses, hostPorts by portmap. */
export class ContainerRuntime {
  /** For the kubelet and ctr(1). */
  readonly socket: string;

  private constructor(socket: string) {
    this.socket = socket;
  }

  /** Resolves when it answers and has the images of these archives, and one for sandboxes and plain services. */
  static async start(machine: NodeMachine, archives: readonly string[]): Promise<ContainerRuntime> {
    const runtime = new ContainerRuntime(join(machine.folder, "containerd.sock"));
    const configuration = join(machine.folder, "containerd.toml");
    writeFileSync(configuration, containerdConfiguration(machine.folder, runtime.socket));
    writePodNetwork(machine.folder);
    machine.run("containerd", "containerd", ["--config", configuration]);
    const answers = async () => (await runtime.ctr("version")).code === 0;
    await eventually(answers, { what: "containerd to answer", timeoutMs: 60_000, everyMs: 100 });
    for (const archive of [await buildToolboxImage(machine.folder), ...archives]) await runtime.take(archive);
    return runtime;
  }

  private ctr(...args: readonly string[]) {
    return runToEnd("ctr", ["--address", this.socket, "--namespace", "k8s.io", ...args], { timeoutMs: 120_000 });
  }

  private async take(archive: string): Promise<void> {
    const { code, stdout, stderr } = await this.ctr("images", "import", archive);
    if (code !== 0) throw new Error(`ctr images import ${archive}: ${stdout}${stderr}`);
  }
}

function containerdConfiguration(folder: string, socket: string): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return [
    "version = 2",
    `root = "${join(folder, "containerd")}"`,
    'state = "/run/containerd/state"',
    `[grpc]\naddress = "${socket}"`,
    `[${cri}]`,
    `sandbox_image = "${toolboxImage}"`,
    "restrict_oom_score_adj = true", // root may lack CAP_SYS_RESOURCE, which less than the parent's takes
    "netns_mounts_under_state_dir = true", // not where ip(8) of the real machine looks
    `[${cri}.cni]\nbin_dir = "${cniPrograms}"\nconf_dir = "${join(folder, "cni.d")}"`,
    `[${cri}.containerd.runtimes.runc]\nruntime_type = "io.containerd.runc.v2"`,
    `[${cri}.containerd.runtimes.runc.options]\nSystemdCgroup = false`,
    "",
  ].join("\n");
}

function writePodNetwork(folder: string): void {
  const ipam = { type: "host-local", ranges: [[{ subnet: podRange }]], routes: [{ dst: "0.0.0.0/0" }] };
  const plugins = [
    { type: "bridge", bridge: "cni0", isGateway: true, ipMasq: true, hairpinMode: true, ipam },
    { type: "portmap", capabilities: { portMappings: true } },
  ];
  mkdirSync(join(folder, "cni.d"), { recursive: true });
  writeFileSync(join(folder, "cni.d/pods.conflist"), JSON.stringify({ cniVersion: "0.4.0", name: "pods", plugins }));
}
