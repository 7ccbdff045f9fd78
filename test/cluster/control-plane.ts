import { join } from "node:path";
import { removeLeftovers } from "../netns/leftovers.ts";
import { ApiServer, type ApiServerOptions } from "./api-server.ts";
import { Cluster } from "./cluster.ts";
import { Etcd } from "./etcd.ts";
import { RunSite } from "./run-site.ts";

/**
 * etcd and an API server of their own on loopback, for tests that break them; the others share one (`sharedCluster`). Unless
 * controllers are started nothing is garbage collected, a deleted namespace stays, and a new one gets no service account.
 */
export class ControlPlane {
  readonly cluster: Cluster;
  readonly etcd: Etcd;
  readonly apiServer: ApiServer;
  private readonly site: RunSite;

  private constructor(site: RunSite, etcd: Etcd, apiServer: ApiServer) {
    this.site = site;
    this.etcd = etcd;
    this.apiServer = apiServer;
    this.cluster = new Cluster(apiServer.access);
  }

  /** Resolves when the API server is ready, in about three seconds; whatever of it runs when that fails is ended. */
  static async start(options: ApiServerOptions = {}): Promise<ControlPlane> {
    const programs = process.env.KUBEBUILDER_ASSETS;
    if (!programs)
      throw new Error("KUBEBUILDER_ASSETS is not set: `npm run test:cluster` builds the programs and sets it");
    removeLeftovers();
    const site = new RunSite(programs);
    try {
      const etcd = await Etcd.start(site);
      return new ControlPlane(site, etcd, await ApiServer.start(site, etcd.url, options));
    } catch (error) {
      await site.remove();
      throw error;
    }
  }

  /** Also runs what acts on objects: the controllers, and the scheduler. They end with the rest. */
  startControllers(): void {
    const { folder } = this.site;
    const shared = [`--kubeconfig=${this.cluster.kubeconfig}`, "--leader-elect=false", "--secure-port=0"];
    this.site.start("kube-scheduler", shared);
    this.site.start("kube-controller-manager", [
      ...shared,
      "--use-service-account-credentials",
      `--service-account-private-key-file=${join(folder, "service-account.key")}`,
      `--root-ca-file=${join(folder, "certificates/apiserver.crt")}`,
    ]);
  }

  /** Ends both and removes what they wrote. */
  async stop(): Promise<void> {
    await this.site.remove();
  }
}
