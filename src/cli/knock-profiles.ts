import { join } from "node:path";
import { LineCounter } from "yaml";
import { z } from "zod";
import { formatPath, type RawResource } from "../policy/document.ts";
import { durationPattern, parseDuration } from "../policy/duration.ts";
import { portNumber, steps } from "../policy/field.ts";
import { nearestName } from "../policy/nearest-name.ts";
import type { Problem } from "../policy/problem.ts";
import { problemOf } from "../policy/problem-catalogue.ts";
import { schemaProblems } from "../policy/schema-problem.ts";
import { type Path, readYaml } from "../policy/yaml-document.ts";
import { KnockError } from "./knock-error.ts";

/** One named knock. */
export interface KnockProfile {
  readonly host: string;
  /** `7312/udp`; a number is TCP. */
  readonly steps: readonly string[];
  readonly family: 4 | 6 | undefined;
  readonly delayMs: number | undefined;
  readonly open: string | undefined;
  readonly waitMs: number | undefined;
}

const duration = z
  .string({ error: "duration-invalid" })
  .regex(durationPattern, { error: "duration-invalid" })
  .transform((text) => (parseDuration(text) ?? 0) / 1000);

/**
 * The file of profiles, so that sequences need not be typed:
 *
 *     profiles:
 *       bastion:
 *         host: bastion.example.org
 *         steps: [7312/udp, 9127/tcp, 8845/udp]
 *         open: 22          # these four may be left out
 *         wait: 10s
 *         delay: 50ms
 *         family: IPv4
 */
const profilesSchema = z.strictObject({
  profiles: z.record(
    z.string(),
    z.strictObject({
      host: z.string().min(1).max(253),
      steps,
      open: portNumber("port-invalid").optional(),
      wait: duration.optional(),
      delay: duration.optional(),
      family: z.enum(["IPv4", "IPv6"]).optional(),
    }),
  ),
});

/**
 * Where the file lies unless `--profiles` names another: KNOCKGATE_PROFILES, else in the user's folder of settings (XDG Base
 * Directory Specification, by which a relative XDG_CONFIG_HOME does not count).
 */
export function usualProfilesPath(env: Readonly<Record<string, string | undefined>>): string {
  const { KNOCKGATE_PROFILES: named = "", XDG_CONFIG_HOME: config = "", HOME: home = "/" } = env;
  if (named !== "") return named;
  return join(config.startsWith("/") ? config : join(home, ".config"), "knockgate", "profiles.yaml");
}

/** Finds a profile in the text of the file. Throws KnockError with every problem of the file, a line each, or the names there are. */
export function readProfile(text: string, path: string, name: string): KnockProfile {
  const { profiles } = readProfiles(text, path);
  const known = Object.keys(profiles);
  if (!Object.hasOwn(profiles, name)) {
    const near = nearestName(name, known);
    const hint =
      near === undefined ? `it has ${known.length === 0 ? "none" : known.join(", ")}` : `did you mean @${near}?`;
    throw new KnockError(`${path} has no profile "${name}": ${hint}`);
  }
  const { host, steps, open, wait, delay, family } = profiles[name] as (typeof profiles)[string];
  return {
    host,
    steps: steps.map(String),
    open: open === undefined ? undefined : String(open),
    waitMs: wait,
    delayMs: delay,
    family: family === undefined ? undefined : family === "IPv6" ? 6 : 4,
  };
}

function readProfiles(text: string, path: string): z.output<typeof profilesSchema> {
  const lines = new LineCounter();
  const [document, second] = readYaml(text, lines);
  if (document === undefined || second !== undefined)
    throw new KnockError(`${path} has to be one YAML document: begin it with \`profiles:\`.`);
  const placeOf = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { origin: path, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const faults = document.faults.map((fault) =>
    problemOf(
      fault.code,
      { policy: undefined, field: formatPath(fault.path), place: placeOf(fault.offset) },
      fault.detail,
    ),
  );
  if (faults.length > 0) throw wrongFile(faults);
  const resource: RawResource = {
    value: document.value,
    policy: undefined,
    isFromApi: false,
    secret: undefined,
    fieldOf: formatPath,
    placeOf: (fieldPath: Path) => placeOf(document.offsetOf(fieldPath)),
  };
  const parsed = profilesSchema.safeParse(document.value);
  if (!parsed.success) throw wrongFile(schemaProblems(resource, parsed.error.issues, profilesSchema));
  return parsed.data;
}

function wrongFile(problems: readonly Problem[]): KnockError {
  const sentence = ({ place, field, message }: Problem) =>
    `${place.origin}:${place.line}:${place.column}: ${field === "" ? "" : `${field}: `}${message}`;
  return new KnockError(problems.map(sentence).join("\n"));
}
