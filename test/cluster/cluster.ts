import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RunResult, runToEnd } from "../netns/running-process.ts";
import { type ApiAnswer, type ApiRequest, askApi } from "./api-request.ts";
import { type ClusterAccess, type Identity, kubeconfigText } from "./cluster-access.ts";
import { type ShortLivedToken, signToken } from "./service-account-token.ts";

let count = 0;

/** A running control plane as tests use it. */
export class Cluster {
  readonly access: ClusterAccess;
  /** The administrator's kubeconfig. */
  readonly kubeconfig: string;

  constructor(access: ClusterAccess) {
    this.access = access;
    this.kubeconfig = this.writeKubeconfig({ token: access.adminToken });
  }

  /** Asks the API server; an answer of 400 and more is an answer. */
  ask(question: ApiRequest): Promise<ApiAnswer> {
    return askApi(this.access, question);
  }

  /** Runs kubectl, as the administrator unless told otherwise, to its end. `input` is its standard input. */
  kubectl(args: readonly string[], options: { input?: string; kubeconfig?: string } = {}): Promise<RunResult> {
    const { input, kubeconfig = this.kubeconfig } = options;
    // HOME: kubectl keeps what it discovers, and looks for preferences, below it.
    const env = { HOME: this.access.folder, KUBECONFIG: kubeconfig };
    return runToEnd(join(this.access.programs, "kubectl"), args, { env, ...(input !== undefined && { input }) });
  }

  /** The same, and rejects with what was printed unless it ends with 0. Resolves to standard output. */
  async expect(args: readonly string[], options: { input?: string; kubeconfig?: string } = {}): Promise<string> {
    const { code, stdout, stderr } = await this.kubectl(args, options);
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Makes the API server know Knockgate's resources, as `deploy/crd.yaml` has them. */
  async installDefinitions(): Promise<void> {
    await this.expect(["apply", "-f", new URL("../../deploy/crd.yaml", import.meta.url).pathname]);
    await this.expect(["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]);
  }

  /** Makes a namespace that no other test uses, with the service accounts named in it; resolves to its name. */
  async createNamespace(serviceAccounts: readonly string[] = []): Promise<string> {
    const name = `kg-${process.pid}-${count++}`;
    await this.expect(["create", "namespace", name]);
    for (const account of serviceAccounts) await this.expect(["create", "serviceaccount", "-n", name, account]);
    return name;
  }

  /** Writes a kubeconfig for somebody else; resolves to its path. */
  writeKubeconfig(identity: Identity, namespace?: string): string {
    const file = join(this.access.folder, `kubeconfig-${process.pid}-${count++}.json`);
    writeFileSync(file, kubeconfigText(this.access, identity, namespace), { mode: 0o600 });
    return file;
  }

  /** A token as the API server gives it to a pod: for an hour, and bound to the pod (and its node) when one is named. */
  async serviceAccountToken(namespace: string, account: string, pod?: string): Promise<string> {
    const bound = pod === undefined ? [] : ["--bound-object-kind=Pod", `--bound-object-name=${pod}`];
    return (await this.expect(["create", "token", "-n", namespace, account, ...bound])).trim();
  }

  /** A token that the API server refuses after so many seconds; it gives none for less than ten minutes itself. */
  async shortLivedToken(namespace: string, account: string, seconds: number): Promise<string> {
    const uid = await this.expect([
      "get",
      "serviceaccount",
      "-n",
      namespace,
      account,
      "-o",
      "jsonpath={.metadata.uid}",
    ]);
    const token: ShortLivedToken = { namespace, account, uid, seconds };
    return signToken(token, this.access);
  }
}
