/** The labels of this agent's node. */
export type NodeLabels = Readonly<Record<string, string>>;

/** Whether a policy is this node's business; `unknown` when it asks for labels and nobody knows them. */
export type Concern = "here" | "elsewhere" | "unknown";

/**
 * Looks at `spec.nodeSelector` of a resource before anything else of it is read, so that what is meant for another node
 * cannot disturb this one. A selector that is none at all concerns this node: validation then says what is wrong with it.
 */
export function concernOf(resource: unknown, labels: NodeLabels | undefined): Concern {
  const selector = fieldOf(fieldOf(resource, "spec"), "nodeSelector");
  if (typeof selector !== "object" || selector === null || Array.isArray(selector)) return "here";
  const wanted = Object.entries(selector);
  if (wanted.length === 0 || wanted.some(([, value]) => typeof value !== "string")) return "here";
  if (labels === undefined) return "unknown";
  return wanted.every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value) ? "here" : "elsewhere";
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}
