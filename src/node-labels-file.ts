import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { NodeLabels } from "./policy/node-selector.ts";
import { writeStateFile } from "./state-file.ts";

const fileName = "node.json";

/**
 * The last known labels of this node as a file of the state directory, so that a start without the API knows which of the kept
 * policies are for it. Labels of a Node of another name are none.
 */
export class NodeLabelsFile {
  private readonly directory: string;
  private readonly node: string;

  constructor(directory: string, node: string) {
    this.directory = directory;
    this.node = node;
  }

  /** Undefined where there are none. Throws when the file cannot be read or is damaged. */
  read(): NodeLabels | undefined {
    let text: string;
    try {
      text = readFileSync(join(this.directory, fileName), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const { node, labels } = JSON.parse(text) as { readonly node?: unknown; readonly labels?: unknown };
    if (typeof node !== "string" || !areLabels(labels)) throw new Error(`${fileName} is damaged`);
    return node === this.node ? labels : undefined;
  }

  /** Replaces what is there, or throws and leaves it. */
  write(labels: NodeLabels): void {
    writeStateFile(this.directory, fileName, `${JSON.stringify({ node: this.node, labels })}\n`);
  }
}

function areLabels(value: unknown): value is NodeLabels {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((label) => typeof label === "string");
}
