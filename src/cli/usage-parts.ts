import { type Command, Option } from "commander";
import { type Address, parseAddress } from "../policy/address.ts";

/** `-o table|json`, of every command that prints what people and programs read. */
export function outputOption(jsonMeans: string): Option {
  return new Option("-o, --output <format>", `a table for people, or json: ${jsonMeans}`)
    .choices(["table", "json"])
    .default("table");
}

/** Takes one more value of an option that may be repeated. */
export function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** An address that was given as an argument, or the end of the program with a sentence. */
export function readAddress(command: Command, text: string): Address {
  return parseAddress(text) ?? command.error(`error: "${text}" is not an address: write 192.0.2.7 or 2001:db8::7.`);
}
