import { dashboardFile } from "../observability/dashboard/dashboard-file.ts";
import { eventsPage } from "../observability/events-page.ts";
import { metricsPage } from "../observability/metrics-page.ts";
import { crdManifest } from "../policy/crd.ts";
import { type JsonSchema, jsonSchemaOf } from "../policy/json-schema.ts";
import { problemReference } from "../policy/problem-catalogue.ts";
import { knockSequenceSchema } from "../policy/schema.ts";
import { schemaReference } from "../policy/schema-reference.ts";
import { commandsPage } from "./commands-page.ts";
import { oddsPage } from "./odds-page.ts";
import { optionsPage } from "./options-page.ts";

/** Every file that is made from the code, by its path; `npm run check` proves that those committed are current. */
export function generatedFiles(): Record<string, string> {
  return {
    "deploy/crd.yaml": crdManifest(),
    "docs/reference/commands.md": commandsPage(),
    "docs/reference/events.md": eventsPage(),
    "docs/reference/metrics.md": metricsPage(),
    "docs/reference/odds.md": oddsPage(),
    "docs/reference/options.md": optionsPage(),
    "docs/reference/problems.md": problemReference(),
    "docs/reference/resource.md": schemaReference(),
    "helm/knockgate/dashboards/knockgate.json": dashboardFile(),
  };
}

/** The JSON schema of what a policy's `spec` may say, for the values of the chart; what only Kubernetes understands left out. */
export function policySchema(): JsonSchema {
  const schema = jsonSchemaOf(knockSequenceSchema).properties?.spec ?? {};
  const text = JSON.stringify(schema, (key, value) => (key.startsWith("x-kubernetes-") ? undefined : value));
  return JSON.parse(text);
}
