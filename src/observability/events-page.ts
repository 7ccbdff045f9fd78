import { type LogEventSpec, logEvents } from "./log-events.ts";

/** The page docs/reference/events.md, from the vocabulary of the log. */
export function eventsPage(): string {
  const rows = Object.entries<LogEventSpec>(logEvents).map(
    ([name, { level, help }]) => `| \`${name}\` | ${level} | ${help} |\n`,
  );
  return `# Log events

Every line of the log is a JSON object with \`time\`, \`level\`, \`event\` and \`message\`. The level follows from the event: error = a person
must act, warn = degraded, info = state changed, debug = per packet. Audit records (\`audit: true\`) carry \`source\`, \`policy\`, \`ports\`,
\`until\`, \`reason\` and \`detail\`, and are written whatever \`--log-level\` says. A step is never logged.

| event | level | meaning |
|---|---|---|
${rows.join("")}`;
}
