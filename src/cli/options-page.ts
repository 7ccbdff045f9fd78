import { type OptionSpec, optionTable, variableOf } from "../option-table.ts";

/** The page docs/reference/options.md, from the table of options. */
export function optionsPage(): string {
  return `# Options of the agent

The command line wins over the environment, and that over the default. In the environment an option that may be repeated is a list
separated by commas, and a switch is \`true\` or \`false\`. All problems are told at once, with exit code 2.

| option | variable | default | meaning |
|---|---|---|---|
${Object.values<OptionSpec>(optionTable).map(row).join("")}
A port is \`22\`, \`22/tcp\` or \`6000-6010/udp\`; a range of addresses is \`192.0.2.0/24\`, \`2001:db8::/32\` or one address.
\`--default-drop\` needs \`--serve\`, \`--trust\` or a guarded port, so that it locks nobody out.
`;
}

function row(spec: OptionSpec): string {
  const value = spec.takes === "switch" ? "" : ` ${spec.value.metavar.replaceAll("|", "\\|")}`;
  const many = spec.takes === "many" ? " May be repeated." : "";
  const none = spec.takes === "switch" ? "off" : "none";
  const fallback = spec.default === undefined || spec.default === "" ? none : `\`${spec.default}\``;
  return `| \`--${spec.name}${value}\` | \`${variableOf(spec)}\` | ${fallback} | ${spec.help}${many} |\n`;
}
