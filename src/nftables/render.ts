import { formatAddress } from "../policy/address.ts";
import { formatRange } from "./address-range.ts";
import { type KeyPart, type NftElement, type NftObject, type NftSet, tableFamily, tableName } from "./objects.ts";
import type { Operation, Transaction } from "./transaction.ts";

const table = `${tableFamily} ${tableName}`;

/** How many elements go into one command: enough to be quick, few enough for a readable line. */
const elementsPerCommand = 512;

/**
 * The transaction as text for `nft -f`: one command a line. Elements that follow one another with the same verb and set
 * share a command. Throws the transaction's first error.
 */
export function renderTransaction(transaction: Transaction): string {
  const lines: string[] = [];
  let group: Operation[] = [];
  const finish = () => {
    if (group.length > 0) lines.push(renderElements(group));
    group = [];
  };
  for (const operation of transaction.operations()) {
    if (!belongsTo(group, operation)) finish();
    if (operation.object.kind === "element") group.push(operation);
    else lines.push(renderOperation(operation));
  }
  finish();
  return lines.map((line) => `${line}\n`).join("");
}

/** A key as nft writes it: `192.0.2.1 . tcp . 22`. The same text for the same key, so it also serves as its identity. */
export function renderKey(key: readonly KeyPart[]): string {
  return key.map(renderPart).join(" . ");
}

/** A timeout as nft reads it: `1d2h3m4s5ms`. One unit alone would overflow what nft takes: seven digits. */
export function renderTimeout(timeoutMs: number): string {
  const units = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "m"],
    [1000, "s"],
    [1, "ms"],
  ] as const;
  let rest = timeoutMs;
  let text = "";
  for (const [length, unit] of units) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) text += `${count}${unit}`;
  }
  return text;
}

/** What makes two sets the same shape, apart from the name and the size. */
export function renderShape(set: NftSet): string {
  const flags = [set.interval && "interval", set.timeout && "timeout"].filter(Boolean).join(",");
  return [`type ${set.type.join(" . ")};`, flags && `flags ${flags};`, set.autoMerge && "auto-merge;"]
    .filter(Boolean)
    .join(" ");
}

function belongsTo(group: readonly Operation[], operation: Operation): boolean {
  const first = group[0];
  return (
    first?.object.kind === "element" &&
    operation.object.kind === "element" &&
    first.verb === operation.verb &&
    first.object.set === operation.object.set &&
    group.length < elementsPerCommand
  );
}

function renderElements(group: readonly Operation[]): string {
  const elements = group.map(({ object }) => object as NftElement);
  const text = elements.map((element) => renderElement(element, group[0]?.verb === "delete")).join(", ");
  return `${group[0]?.verb} element ${table} ${elements[0]?.set} { ${text} }`;
}

function renderElement(element: NftElement, keyOnly: boolean): string {
  const key = renderKey(element.key);
  if (keyOnly) return key;
  const timeout = element.timeoutMs === undefined ? "" : ` timeout ${renderTimeout(element.timeoutMs)}`;
  return key + timeout + (element.comment === undefined ? "" : ` comment "${element.comment}"`);
}

function renderOperation({ verb, object }: Operation): string {
  const words = `${verb} ${object.kind} ${table}`;
  const defines = verb === "add" || verb === "create";
  switch (object.kind) {
    case "table":
      return words;
    case "rule":
      return `${words} ${object.chain} ${object.expression}`;
    case "set":
      return defines
        ? `${words} ${object.name} { ${renderShape(object)}${renderSize(object)} }`
        : `${words} ${object.name}`;
    case "chain":
      return defines ? `${words} ${object.name}${renderHook(object)}` : `${words} ${object.name}`;
    case "counter":
      return `${words} ${object.name}`;
    case "element":
      return renderElements([{ verb, object }]);
    default:
      return object satisfies never;
  }
}

function renderSize(set: NftSet): string {
  return set.size === undefined ? "" : ` size ${set.size};`;
}

function renderHook(chain: Extract<NftObject, { kind: "chain" }>): string {
  if (chain.hook === undefined) return "";
  return ` { type filter hook ${chain.hook.name} priority ${chain.hook.priority}; policy accept; }`;
}

function renderPart(part: KeyPart): string {
  switch (part.kind) {
    case "address":
      return formatAddress(part.address);
    case "range":
      return formatRange(part);
    case "protocol":
      return part.protocol;
    case "port":
      return String(part.port);
    default:
      return part satisfies never;
  }
}
