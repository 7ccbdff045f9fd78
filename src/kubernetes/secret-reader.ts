import type { SecretSteps } from "../policy/secret-steps.ts";
import type { Reflector } from "./reflector.ts";
import type { KubeObject } from "./resource.ts";
import type { Watches } from "./watches.ts";

/** A Secret by its name. */
export interface SecretName {
  readonly namespace: string;
  readonly name: string;
}

/** Each takes a watch, that is a connection, on the API server: a thousand agents make a thousand of each. */
export const mostSecrets = 128;

/**
 * Reads Secrets by name, each with a watch of its own, so that the agent's role need name them only. What they hold goes
 * to the policies that ask for it and nowhere else: no log, no status, no problem.
 */
export class SecretReader {
  private readonly watches: Watches;
  private readonly changed: () => void;
  private readonly reflectors = new Map<string, Reflector>();

  /** `changed` is called whenever `read` may answer something else. */
  constructor(watches: Watches, changed: () => void) {
    this.watches = watches;
    this.changed = changed;
  }

  /** Watches exactly these from now on, and no more than the bound; resolves when each new one has been asked for, or too slowly. */
  async use(secrets: readonly SecretName[]): Promise<void> {
    const wanted = new Map(secrets.map((secret) => [keyOf(secret), secret]));
    for (const [key, reflector] of this.reflectors) {
      if (wanted.has(key)) continue;
      this.reflectors.delete(key);
      void reflector.stop();
    }
    const added: Reflector[] = [];
    for (const [key, { namespace, name }] of wanted) {
      if (this.reflectors.size === mostSecrets) break;
      if (this.reflectors.has(key)) continue;
      const { changed } = this;
      const reflector = this.watches.ofObject("secrets", namespace, name, { changed, conditionChanged: changed });
      this.reflectors.set(key, reflector);
      added.push(reflector);
    }
    if (added.length > 0) await this.watches.firstLook(added);
  }

  /** What a key of a Secret holds that is watched. */
  read(secret: SecretName, key: string): SecretSteps {
    const reflector = this.reflectors.get(keyOf(secret));
    if (reflector === undefined) return { kind: "trouble", code: "secrets-too-many" };
    const { condition, objects } = reflector;
    if (condition.kind === "failing" && condition.error.code === "forbidden")
      return { kind: "trouble", code: "secret-forbidden" };
    if (objects === undefined) return { kind: "trouble", code: "secret-not-read" };
    const object = objects.get(keyOf(secret));
    if (object === undefined) return { kind: "trouble", code: "secret-missing" };
    const text = textOf(object, key);
    return text === undefined ? { kind: "trouble", code: "secret-key-missing" } : { kind: "text", text };
  }

  async close(): Promise<void> {
    const reflectors = [...this.reflectors.values()];
    this.reflectors.clear();
    await Promise.all(reflectors.map((reflector) => reflector.stop()));
  }
}

function keyOf({ namespace, name }: SecretName): string {
  return `${namespace}/${name}`;
}

/** The value of a key; undefined where it is missing or no UTF-8. The API sends it in base64. */
function textOf(secret: KubeObject, key: string): string | undefined {
  const { data } = secret as KubeObject & { readonly data?: Readonly<Record<string, unknown>> };
  const value = typeof data === "object" && data !== null && Object.hasOwn(data, key) ? data[key] : undefined;
  if (typeof value !== "string") return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(value, "base64"));
  } catch {
    return undefined; // bytes that are no text
  }
}
