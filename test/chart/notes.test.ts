import { expect, test } from "vitest";
import { notes, shapes, type Values } from "./chart.ts";

const ssh = { sequences: { ssh: { knock: { steps: ["24817/udp"] }, opens: { ports: ["20-30/tcp"], for: "30s" } } } };

test.each<{
  readonly name: string;
  readonly values: Values;
  readonly says: readonly string[];
  readonly not: readonly string[];
}>([
  {
    name: "observing is warned of, and the next command said",
    values: {},
    says: [
      "WARNING: observe mode drops nothing",
      "--reset-then-reuse-values --set mode=enforce --set confirmWithin=10m",
      "kubectl get kseq",
    ],
    not: ["port 22"],
  },
  {
    name: "guarding 22 is warned of while nobody is trusted, also within a range",
    values: ssh,
    says: ["WARNING: port 22 is guarded and nobody is trusted", "When you enforce"],
    not: ["24817"],
  },
  {
    name: "so is --guard 22",
    values: { guard: [22], mode: "enforce" },
    says: ["is locked out"],
    not: ["When you enforce"],
  },
  { name: "but not of 22/udp", values: { guard: ["22/udp"] }, says: [], not: ["port 22"] },
  { name: "nor where somebody is trusted", values: { ...ssh, trust: ["192.0.2.0/28"] }, says: [], not: ["port 22"] },
  {
    name: "when enforcing the next command knocks",
    values: { ...ssh, mode: "enforce" },
    says: ["knockgate knock --open PORT NODE STEP", "Keep mode=enforce", "bootUnit.install=true"],
    not: ["observe mode", "24817"],
  },
  { name: "uninstalling opens the ports", values: {}, says: ["THE PORTS ARE OPEN THEN"], not: ["STAY CLOSED"] },
  {
    name: "or leaves them closed",
    values: shapes["boot-unit"] ?? {},
    says: ["PORTS STAY CLOSED", "after removing knockgate-boot.service"],
    not: ["ARE OPEN THEN"],
  },
  {
    name: "a sidecar's client must keep its address",
    values: shapes.sidecar ?? {},
    says: ["externalTrafficPolicy: Local", "deployment/gate-knockgate"],
    not: ["helm uninstall"],
  },
  { name: "CRDs stay", values: {}, says: ["every KnockSequence, stay in any case"], not: [] },
])("$name", async ({ values, says, not }) => {
  const text = await notes(values);
  for (const part of says) expect(text).toContain(part);
  for (const part of not) expect(text).not.toContain(part);
});
