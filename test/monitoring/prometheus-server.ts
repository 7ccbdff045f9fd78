import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../netns/eventually.ts";
import type { Host } from "../netns/host.ts";
import type { RunningProcess } from "../netns/running-process.ts";
import type { World } from "../netns/world.ts";
import { alertsFile } from "./alert-rules.ts";

const port = 9090;

/** One series of an answer. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Seconds since the epoch, and the value. */
  readonly points: readonly (readonly [atSeconds: number, value: number])[];
}

/** An alert whose condition holds, as Prometheus tells it. */
export interface ActiveAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: "pending" | "firing";
}

interface RawSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

/** A real Prometheus with Knockgate's alerts, in a host's namespace, reached over its loopback alone. */
export class PrometheusServer {
  private readonly process: RunningProcess;
  private readonly host: Host;

  private constructor(host: Host, process: RunningProcess) {
    this.host = host;
    this.process = process;
  }

  /** Scrapes targets by the names that their series bear as `instance`, every second; resolves when it is ready. */
  static async start(world: World, host: Host, targets: Readonly<Record<string, string>>): Promise<PrometheusServer> {
    const folder = mkdtempSync(join(world.folder, "prometheus-"));
    const config = join(folder, "prometheus.yaml");
    writeFileSync(config, JSON.stringify(configOf(targets))); // JSON is YAML
    const process = host.start("prometheus", [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ]);
    const server = new PrometheusServer(host, process);
    const isReady = async () => {
      if (process.isOver) throw new Error(`Prometheus ended\n${process.text}`);
      return (await host.http(port, "/-/ready")).status === 200;
    };
    await eventually(isReady, { what: "Prometheus to be ready", timeoutMs: 30_000, everyMs: 100 });
    return server;
  }

  /** What a query answers now. */
  async query(expr: string): Promise<readonly Series[]> {
    return this.series(`/api/v1/query?${new URLSearchParams({ query: expr })}`);
  }

  /** What a query answers over a span, in steps. */
  async queryRange(expr: string, span: { fromSeconds: number; toSeconds: number; stepSeconds: number }) {
    const { fromSeconds: start, toSeconds: end, stepSeconds: step } = span;
    const words = { query: expr, start: String(start), end: String(end), step: String(step) };
    return this.series(`/api/v1/query_range?${new URLSearchParams(words)}`);
  }

  /** The alerts that are pending or firing. */
  async alerts(): Promise<readonly ActiveAlert[]> {
    return (await this.ask<{ alerts: ActiveAlert[] }>("/api/v1/alerts")).alerts;
  }

  /** Ends it. */
  async stop(): Promise<void> {
    await this.process.stop();
  }

  private async series(path: string): Promise<readonly Series[]> {
    const { result } = await this.ask<{ result: RawSeries[] }>(path);
    return result.map(({ metric, value, values }) => ({
      labels: metric,
      points: (values ?? (value === undefined ? [] : [value])).map(([at, text]) => [at, numberOf(text)] as const),
    }));
  }

  private async ask<Data>(path: string): Promise<Data> {
    const { body } = await this.host.http(port, path);
    const answer = JSON.parse(body) as { status: string; error?: string; data: Data };
    if (answer.status !== "success") throw new Error(`Prometheus refuses ${decodeURIComponent(path)}: ${answer.error}`);
    return answer.data;
  }
}

function configOf(targets: Readonly<Record<string, string>>) {
  return {
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    rule_files: [alertsFile],
    scrape_configs: [
      {
        job_name: "knockgate",
        static_configs: Object.entries(targets).map(([instance, address]) => ({
          targets: [address],
          labels: { instance },
        })),
      },
    ],
  };
}

/** Prometheus writes `NaN`, `+Inf` and `-Inf` for what JSON has no number for. */
function numberOf(text: string): number {
  return text.endsWith("Inf") ? Number(`${text.replace("Inf", "")}Infinity`) : Number(text);
}
