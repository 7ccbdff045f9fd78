import { commentPattern, type KeyPart, type NftElement, type NftObject, type NftRule, namePattern } from "./objects.ts";

/** What can be done to an object, in nft's own words (nft(8)). `create` fails where the object is there, `add` does not. */
export const verbs = ["add", "create", "insert", "delete", "flush"] as const;
export type Verb = (typeof verbs)[number];

/** One step of a transaction. */
export interface Operation {
  readonly verb: Verb;
  readonly object: NftObject;
}

/**
 * Operations in order, applied all or nothing. Mutators never fail: the first operation that could not be rendered is
 * remembered, and comes out when the transaction is run.
 */
export class Transaction {
  readonly #operations: Operation[] = [];
  #error: RangeError | undefined;

  /** Adds an object; one that is there stays as it is, except that rules are appended. */
  add(object: NftObject): this {
    return this.#push("add", object);
  }

  /** Adds an object that must not be there. */
  create(object: Exclude<NftObject, NftRule>): this {
    return this.#push("create", object);
  }

  /** Puts a rule in front of the others of its chain. */
  insert(object: NftRule): this {
    return this.#push("insert", object);
  }

  /** Deletes an object that must be there; rules go with `flush`. */
  delete(object: Exclude<NftObject, NftRule>): this {
    return this.#push("delete", object);
  }

  /**
   * Deletes an object, there or not. `destroy` needs nft >= 1.0.8, so it is added first. For an element of a full set
   * even that fails with `set-full`.
   */
  destroy(object: Exclude<NftObject, NftRule>): this {
    return this.add(object).delete(object);
  }

  /** Empties a chain or a set. */
  flush(object: Extract<NftObject, { kind: "chain" | "set" }>): this {
    return this.#push("flush", object);
  }

  /** Appends everything of another one, its error too. */
  append(other: Transaction): this {
    this.#operations.push(...other.#operations);
    this.#error ??= other.#error;
    return this;
  }

  /** The operations, in order; throws the first error. */
  operations(): readonly Operation[] {
    if (this.#error !== undefined) throw this.#error;
    return this.#operations;
  }

  /** How many operations there are. */
  get size(): number {
    return this.#operations.length;
  }

  #push(verb: Verb, object: NftObject): this {
    const fault = faultOf(object);
    if (fault === undefined) this.#operations.push({ verb, object });
    else this.#error ??= new RangeError(`cannot ${verb} ${object.kind}: ${fault}`);
    return this;
  }
}

/** Why an object must not reach the renderer. */
function faultOf(object: NftObject): string | undefined {
  switch (object.kind) {
    case "table":
      return undefined;
    case "rule":
      return nameFault(object.chain);
    case "element":
      return nameFault(object.set) ?? elementFault(object);
    case "set":
      return (
        nameFault(object.name) ?? (object.size === undefined ? undefined : numberFault(object.size, 1, 2 ** 32 - 1))
      );
    case "chain":
      return nameFault(object.name) ?? (object.hook && numberFault(object.hook.priority, -(2 ** 31), 2 ** 31 - 1));
    case "counter":
      return nameFault(object.name);
    default:
      return object satisfies never;
  }
}

function nameFault(name: string): string | undefined {
  return namePattern.test(name) ? undefined : `${JSON.stringify(name)} is not a name`;
}

function numberFault(value: number, least: number, most: number): string | undefined {
  return Number.isInteger(value) && value >= least && value <= most
    ? undefined
    : `${value} is not from ${least} to ${most}`;
}

/** nft takes up to 7 digits of days. */
const longestTimeoutMs = 9_999_999 * 86_400_000;

function elementFault(element: NftElement): string | undefined {
  if (element.key.length === 0) return "its key is empty";
  for (const part of element.key) {
    const fault = partFault(part);
    if (fault !== undefined) return fault;
  }
  if (element.timeoutMs !== undefined) {
    const fault = numberFault(element.timeoutMs, 1, longestTimeoutMs);
    if (fault !== undefined) return fault;
  }
  if (element.comment !== undefined && !commentPattern.test(element.comment)) return "its comment is not plain text";
  return undefined;
}

function partFault(part: KeyPart): string | undefined {
  switch (part.kind) {
    case "address":
      return part.address.length === 4 ? undefined : "an address has four words";
    case "range":
      return part.first.length === 4 && part.last.length === 4 ? undefined : "an address has four words";
    case "protocol":
      return part.protocol === "tcp" || part.protocol === "udp" ? undefined : "the protocol is neither tcp nor udp";
    case "port":
      return numberFault(part.port, 0, 65535);
    default:
      return part satisfies never;
  }
}
