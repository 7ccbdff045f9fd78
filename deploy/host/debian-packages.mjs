// The Debian packages that Knockgate needs, found by a file of each and installed only where that file is missing.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { CannotGoOn, lastLines, longRun } from "./progress.mjs";

/** What it takes to build and run the gateway. */
const toRun = {
  "g++": ["/usr/bin/g++"],
  iproute2: ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"],
  "libpcap-dev": ["/usr/include/pcap/pcap.h"],
  make: ["/usr/bin/make"],
  nftables: ["/usr/sbin/nft", "/usr/bin/nft"],
  python3: ["/usr/bin/python3"],
};

/** The real programs that the network tests use besides. */
const toTest = {
  conntrack: ["/usr/sbin/conntrack", "/usr/bin/conntrack"],
  "fwknop-client": ["/usr/bin/fwknop"],
  "fwknop-server": ["/usr/sbin/fwknopd"],
  iperf3: ["/usr/bin/iperf3"],
  iptables: ["/usr/sbin/iptables"],
  "iputils-ping": ["/bin/ping", "/usr/bin/ping"],
  knockd: ["/usr/sbin/knockd", "/usr/bin/knockd"],
  ncat: ["/usr/bin/ncat"],
  netbase: ["/etc/services"],
  "netcat-openbsd": ["/bin/nc.openbsd", "/usr/bin/nc.openbsd"],
  nmap: ["/usr/bin/nmap"],
  "openssh-client": ["/usr/bin/ssh"],
  "openssh-server": ["/usr/sbin/sshd", "/usr/bin/sshd"],
  prometheus: ["/usr/bin/prometheus"],
  systemd: ["/usr/bin/systemd-analyze"],
  tcpdump: ["/usr/bin/tcpdump", "/usr/sbin/tcpdump"],
  tcpreplay: ["/usr/bin/tcpreplay"],
};

/** A Docker engine, and what makes a base image where none can be pulled. */
const toContain = {
  debootstrap: ["/usr/sbin/debootstrap"],
  "docker-compose": ["/usr/bin/docker-compose"],
  "docker.io": ["/usr/bin/dockerd", "/usr/sbin/dockerd"],
};

/** What a kubelet needs to run pods, and the program that the pods of the tests are made of. */
const toRunPods = {
  "busybox-static": ["/bin/busybox"],
  containerd: ["/usr/bin/containerd"],
  "containernetworking-plugins": ["/usr/lib/cni/bridge"],
  iptables: ["/usr/sbin/iptables"],
  runc: ["/usr/sbin/runc", "/usr/bin/runc"],
};

/** Services that some of these packages would start, now and at every boot. */
const services = {
  containerd: ["containerd.service"],
  "docker.io": ["docker.service", "docker.socket", "containerd.service"],
  "fwknop-server": ["fwknop-server.service"],
  knockd: ["knockd.service"],
  "openssh-server": ["ssh.service", "ssh.socket"],
  prometheus: ["prometheus.service"],
};

/** By purpose, each with what it takes besides: the gateway, tests in network namespaces, in containers, on a real node. */
const purposes = {
  run: toRun,
  test: { ...toRun, ...toTest },
  container: { ...toRun, ...toTest, ...toContain },
  node: { ...toRun, ...toTest, ...toContain, ...toRunPods },
};

/** The packages of a purpose ("run", "test", "container" or "node") that are not there. */
export function missingPackages(purpose) {
  const wanted = purposes[purpose];
  return Object.keys(wanted).filter((name) => !wanted[name].some((file) => existsSync(file)));
}

/** Installs packages so that none of them begins to listen because of us. */
export async function installPackages(names) {
  if (!existsSync("/usr/bin/apt-get")) {
    throw new CannotGoOn(`this is not Debian: install what Debian calls ${names.join(", ")} and run this again.`);
  }
  if (process.getuid() !== 0) {
    throw new CannotGoOn(`not root: ${names.join(", ")} must be installed, so run this again as root.`);
  }
  const restore = forbidServices();
  const onSignal = () => {
    restore();
    process.exit(130);
  };
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    await install(names);
  } finally {
    restore();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
  keepStopped(names);
}

async function install(names) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  const update = () => longRun("Reading Debian's package lists (apt-get update)", "apt-get", ["update", "-q"], { env });
  const args = ["install", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120", ...names];
  const attempt = () => longRun(`Installing ${names.join(", ")} (apt-get install)`, "apt-get", args, { env });
  if (!hasPackageLists()) await update();
  let result = await attempt();
  if (!result.isDone) {
    await update();
    result = await attempt();
  }
  if (!result.isDone) {
    throw new CannotGoOn(`apt-get could not install ${names.join(", ")}:\n${lastLines(result.output)}`);
  }
}

function hasPackageLists() {
  const folder = "/var/lib/apt/lists";
  return existsSync(folder) && readdirSync(folder).some((name) => name.includes("_Packages"));
}

const policyFile = "/usr/sbin/policy-rc.d";
const savedPolicyFile = `${policyFile}.before-knockgate`;
const policyMark = "# knockgate";

/** While packages are installed, Debian is told to start no service (invoke-rc.d(8)). Returns what undoes it. */
function forbidServices() {
  const isOurs = existsSync(policyFile) && readFileSync(policyFile, "utf8").includes(policyMark);
  if (existsSync(policyFile) && !isOurs) renameSync(policyFile, savedPolicyFile);
  writeFileSync(
    policyFile,
    `#!/bin/sh\n${policyMark}: nothing is to start while its packages are installed\nexit 101\n`,
    {
      mode: 0o755,
    },
  );
  return () => {
    rmSync(policyFile, { force: true });
    if (existsSync(savedPolicyFile)) renameSync(savedPolicyFile, policyFile);
  };
}

/** A package that came with the tests must not begin to listen at the next boot either. */
function keepStopped(names) {
  const units = names.flatMap((name) => services[name] ?? []);
  if (units.length === 0 || !existsSync("/usr/bin/systemctl")) return;
  spawnSync("systemctl", ["disable", "--quiet", ...units], { stdio: "ignore" });
  console.log(`${units.join(", ")}: installed for the tests only, not started and not enabled.`);
}
