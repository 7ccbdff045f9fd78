import type { Cluster } from "../cluster/cluster.ts";

/** What the API server has done since it began, and what it holds. */
export interface ApiLoad {
  /** Requests that change something, by verb and resource: `PATCH knocknodes/status`. */
  readonly writes: ReadonlyMap<string, number>;
  readonly reads: number;
  /** Open, by resource. */
  readonly watches: ReadonlyMap<string, number>;
  readonly residentMib: number;
}

const writing = new Set(["POST", "PUT", "PATCH", "APPLY", "DELETE"]);
const reading = new Set(["GET", "LIST"]);
const ours = /^knock|^leases$/;

/** Asks its metrics; only requests for what agents work with count. */
export async function apiLoad(cluster: Cluster): Promise<ApiLoad> {
  const text = await cluster.expect(["get", "--raw", "/metrics"]); // a process of its own: this one may be busy for seconds
  const writes = new Map<string, number>();
  const watches = new Map<string, number>();
  let reads = 0;
  for (const { name, labels, value } of samplesOf(text)) {
    const { verb = "", resource = "", subresource = "" } = labels;
    const what = subresource === "" ? resource : `${resource}/${subresource}`;
    if (name === "apiserver_longrunning_requests" && verb === "WATCH" && /^knock|^nodes$/.test(resource))
      add(watches, what, value);
    if (name !== "apiserver_request_total" || !(ours.test(resource) || (resource === "nodes" && reading.has(verb))))
      continue;
    if (writing.has(verb)) add(writes, `${verb} ${what}`, value);
    if (reading.has(verb)) reads += value;
  }
  const bytes = Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1] ?? Number.NaN);
  return { writes, reads, watches, residentMib: bytes / 2 ** 20 };
}

/** What was written between two looks, the most first. */
export function writesBetween(before: ApiLoad, after: ApiLoad): readonly (readonly [what: string, count: number])[] {
  const changed = [...after.writes].map(([what, count]) => [what, count - (before.writes.get(what) ?? 0)] as const);
  return changed.filter(([, count]) => count > 0).sort(([, one], [, other]) => other - one);
}

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Lines as `apiserver_request_total{code="200",verb="GET"} 12`. */
function* samplesOf(text: string): Generator<Sample> {
  for (const line of text.split("\n")) {
    const [, name, inner = "", value] = /^(\w+)\{(.*)\} (\S+)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const labels = [...inner.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = "", text = ""]) => [label, text] as const);
    yield { name, labels: Object.fromEntries(labels), value: Number(value) };
  }
}

function add(counts: Map<string, number>, what: string, value: number): void {
  counts.set(what, (counts.get(what) ?? 0) + value);
}
