import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../netns/eventually.ts";
import type { RunningProcess } from "../netns/running-process.ts";
import { askApi } from "./api-request.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import type { RunSite } from "./run-site.ts";

/** A user of the token file, which the API server reads once, when it starts. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
  readonly token: string;
}

/** How an API server differs from the usual one. */
export interface ApiServerOptions {
  /** Besides `admin`. */
  readonly users?: readonly User[];
  /** Besides the usual ones. */
  readonly flags?: readonly string[];
}

/** Names the API server in its own records (TEST-NET-1, RFC 5737), where it takes no loopback address. Nobody sends to it. */
export const advertisedAddress = "192.0.2.1";
const issuer = "https://kubernetes.default.svc.cluster.local";

/** An API server that can be killed and started again with the same address, certificate and tokens. */
export class ApiServer {
  readonly access: ClusterAccess;
  private readonly site: RunSite;
  private readonly flags: readonly string[];
  private process: RunningProcess;

  private constructor(site: RunSite, flags: readonly string[], access: ClusterAccess, process: RunningProcess) {
    this.site = site;
    this.flags = flags;
    this.access = access;
    this.process = process;
  }

  /** Resolves when it is ready. */
  static async start(site: RunSite, etcdUrl: string, options: ApiServerOptions = {}): Promise<ApiServer> {
    const adminToken = randomBytes(16).toString("hex");
    const signingKey = newSigningKey();
    const admin = { name: "admin", groups: ["system:masters"], token: adminToken };
    writeFileSync(join(site.folder, "users.csv"), userRows([admin, ...(options.users ?? [])]));
    writeFileSync(join(site.folder, "service-account.key"), signingKey);
    const { address, ports, programs, folder } = site;
    const known = { server: `https://${address}:${ports.api}`, adminToken, signingKey, issuer, programs, folder };
    const flags = [...usualFlags(site, etcdUrl), ...(options.flags ?? [])];
    const started = site.start("kube-apiserver", flags);
    return new ApiServer(site, flags, await whenReady(started, known), started);
  }

  /** As a crash does. */
  async kill(): Promise<void> {
    await this.process.stop("SIGKILL");
  }

  /** Gives running requests time to end, and tells watches. */
  async stop(): Promise<void> {
    await this.process.stop();
  }

  /** Resolves when it is ready; it must have been stopped or killed. */
  async startAgain(): Promise<void> {
    this.process = this.site.start("kube-apiserver", this.flags);
    await whenReady(this.process, this.access);
  }

  /** What it printed since it was last started. */
  get log(): string {
    return this.process.text;
  }
}

function usualFlags(site: RunSite, etcdUrl: string): readonly string[] {
  const key = join(site.folder, "service-account.key");
  return [
    `--etcd-servers=${etcdUrl}`,
    `--bind-address=${site.address}`,
    `--secure-port=${site.ports.api}`,
    `--cert-dir=${join(site.folder, "certificates")}`,
    `--advertise-address=${advertisedAddress}`,
    `--service-account-issuer=${issuer}`,
    `--service-account-key-file=${key}`,
    `--service-account-signing-key-file=${key}`,
    `--token-auth-file=${join(site.folder, "users.csv")}`,
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    "--service-cluster-ip-range=10.96.0.0/16",
    "--allow-privileged",
  ];
}

function newSigningKey(): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return privateKey.export({ type: "pkcs1", format: "pem" }).toString();
}

/** `token,user,uid,"group,group"`. */
function userRows(users: readonly User[]): string {
  return users.map(({ token, name, groups }) => `${token},${name},${name},"${groups.join(",")}"\n`).join("");
}

/** The way in, once it answers and all its hooks have run. It writes its certificate itself at its first start. */
async function whenReady(server: RunningProcess, known: Omit<ClusterAccess, "certificate">): Promise<ClusterAccess> {
  const file = join(known.folder, "certificates/apiserver.crt");
  const ask = async () => {
    if (server.isOver) throw new Error(`kube-apiserver has ended\n${server.lines.slice(-20).join("\n")}`);
    if (!existsSync(file)) return undefined;
    const access = { ...known, certificate: readFileSync(file, "utf8") };
    // Until it listens, the connection is refused; anything else than 200 says that it is still starting.
    const status = await askApi(access, { path: "/readyz" }).then(
      (answer) => answer.status,
      () => 0,
    );
    return status === 200 ? access : undefined;
  };
  return await eventually(ask, { what: "the API server to be ready", timeoutMs: 60_000, everyMs: 50 });
}
