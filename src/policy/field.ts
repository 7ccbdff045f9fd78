/** The kinds of fields that resources are made of. */
import { z } from "zod";
import { parseAddress, parseCidr } from "./address.ts";
import {
  type ApiRule,
  durationRule,
  labelsRule,
  openedPortRule,
  portCountRule,
  sourceRule,
  stepRule,
  withRules,
} from "./api-rule.ts";
import { durationPattern, formatDuration, parseDuration } from "./duration.ts";
import { parsePort, parsePortRange, portRangePattern } from "./port.ts";
import type { ProblemCode } from "./problem-catalogue.ts";

/** A DNS subdomain, as Kubernetes names objects (RFC 1123), which bounds its length by itself. */
const namePattern = /^[a-z0-9]([-a-z0-9]{0,251}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,251}[a-z0-9])?)*$/;
const longestName = 253;
/** A DNS label, as Kubernetes names namespaces. */
const namespacePattern = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** A label key with an optional prefix, and a label value. */
const labelKeyPattern = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelValuePattern = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const longestLabelKey = 317;
const mostLabels = 16;

/** Bounds of durations, in microseconds. */
const shortest = 100e3;
const longestWithin = 3600e6;
const longestFor = 720 * 3600e6;

/** The code becomes the message, from which schema-problem.ts makes the problem. */
export const coded = (code: ProblemCode) => ({ error: code });

/** A text of a form; `means` tells what means nothing although it has the form. */
export function text(
  code: ProblemCode,
  pattern: RegExp,
  longest: number,
  means: (text: string) => boolean = () => true,
) {
  return z
    .string(coded(code))
    .max(longest, { abort: true })
    .regex(pattern, coded(code))
    .refine((value) => !pattern.test(value) || means(value), coded(code));
}

function duration(rangeCode: ProblemCode, mostMicros: number, zero: boolean) {
  const inRange = (micros: number) => (micros === 0 ? zero : micros >= shortest && micros <= mostMicros);
  const isSound = (value: string) => !durationPattern.test(value) || inRange(parseDuration(value) ?? Number.NaN);
  const rule = durationRule(rangeCode, formatDuration(shortest), formatDuration(mostMicros), zero);
  return text("duration-invalid", durationPattern, 12).refine(isSound, coded(rangeCode)).meta(withRules(rule));
}

/** The window of a knock. */
export const within = duration("within-out-of-range", longestWithin, false);
/** How long a door is open; `0s`: until it is closed. */
export const openFor = duration("for-out-of-range", longestFor, true);

/** Whether an object of Kubernetes may have this name. */
export function isObjectName(name: string): boolean {
  return name.length <= longestName && namePattern.test(name);
}

/** Whether a namespace may have this name. */
export function isNamespace(name: string): boolean {
  return namespacePattern.test(name);
}

/** The name of an object. */
export const objectName = text("name-invalid", namePattern, longestName);
/** The name of a namespace. */
export const namespace = text("name-invalid", namespacePattern, 63);

/** A number from 1 to 65535. */
export const portNumber = (code: ProblemCode) => z.int().min(1, coded(code)).max(65535, coded(code));
const step = z
  .union(
    [
      portNumber("step-invalid"),
      text("step-invalid", /^[1-9]\d{0,4}(\/(tcp|udp))?$/, 9, (port) => parsePort(port) !== undefined),
    ],
    coded("step-invalid"),
  )
  .meta({ description: "One port, `7000/udp`; without a protocol tcp.", ...withRules(stepRule) });
const openedPort = z
  .union(
    [
      portNumber("port-invalid"),
      text("port-invalid", portRangePattern, 15, (range) => parsePortRange(range) !== undefined),
    ],
    coded("port-invalid"),
  )
  .meta({ description: "`22/tcp` or `6000-6010/udp`; without a protocol tcp.", ...withRules(openedPortRule) });
/** Ports to knock on, in order. */
export const steps = z.array(step).min(1).max(32);
/** Ports that a door opens. How many single ones these are is counted in draft.ts. */
export const openedPorts = z.array(openedPort).min(1).max(64).meta(withRules(portCountRule));

/** One IP address. */
export function address(code: ProblemCode, rule: ApiRule) {
  const isAddress = (value: string) => parseAddress(value) !== undefined;
  return text(code, /^[0-9a-fA-F:.]+$/, 45, isAddress).meta(withRules(rule));
}

/** An address or a range of them. */
export const source = text(
  "source-invalid",
  /^[0-9a-fA-F:.]+(\/\d{1,3})?$/,
  49,
  (range) => parseCidr(range) !== undefined,
).meta(withRules(sourceRule));

/** Labels that somebody wants, or has. */
export const labels = z.record(
  z.string().max(longestLabelKey).regex(labelKeyPattern, coded("label-invalid")),
  text("label-invalid", labelValuePattern, 63),
);
/** Labels that a node must have. */
export const nodeSelector = labels
  .refine((wanted) => Object.keys(wanted).length <= mostLabels, coded("items-too-many"))
  .meta({ maxProperties: mostLabels, ...withRules(labelsRule(labelKeyPattern, longestLabelKey)) });
