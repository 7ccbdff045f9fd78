import { join } from "node:path";
import type { RunningProcess } from "../netns/running-process.ts";
import type { RunSite } from "./run-site.ts";

/** An etcd with a folder of its own that does not wait for the disk. */
export class Etcd {
  readonly url: string;
  readonly process: RunningProcess;

  private constructor(url: string, process: RunningProcess) {
    this.url = url;
    this.process = process;
  }

  /** Resolves when it answers. */
  static async start(site: RunSite): Promise<Etcd> {
    const url = `http://${site.address}:${site.ports.etcd}`;
    const peer = `http://${site.address}:${site.ports.peer}`;
    const started = site.start("etcd", [
      `--data-dir=${join(site.folder, "etcd")}`,
      "--unsafe-no-fsync",
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
    ]);
    await started.waitForLine("ready to serve client requests", { timeoutMs: 30_000 });
    return new Etcd(url, started);
  }

  /** Forgets every revision before the present one; resolves to that. */
  async compact(): Promise<number> {
    const { header } = await this.ask("/v3/maintenance/status", {});
    await this.ask("/v3/kv/compaction", { revision: header.revision, physical: true });
    return Number(header.revision);
  }

  /** Through the JSON gateway, which takes and gives 64-bit numbers as texts. */
  private async ask(path: string, body: unknown): Promise<{ readonly header: { readonly revision: string } }> {
    const answer = await fetch(`${this.url}${path}`, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd, ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as { readonly header: { readonly revision: string } };
  }
}
