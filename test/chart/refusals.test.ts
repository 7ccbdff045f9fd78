import { expect, test } from "vitest";
import { refusal, type Values } from "./chart.ts";

/** A policy as it should be, changed. */
const policy = (change: object) => ({
  sequences: { ssh: { knock: { steps: ["1001/udp"] }, opens: { ports: ["22/tcp"], for: "30s" }, ...change } },
});

test.each<readonly [Values, string]>([
  [{ mod: "enforce" }, "additional properties 'mod' not allowed"],
  [{ mode: "enforced" }, "at '/mode'"],
  [{ kind: "Deployment" }, "at '/kind'"],
  [{ confirmWithin: "10 minutes" }, "at '/confirmWithin'"],
  [{ trust: ["192.0.2.0/33"] }, "at '/trust/0'"],
  [{ trust: "192.0.2.0/24" }, "at '/trust'"],
  [{ guard: ["22/sctp"] }, "at '/guard/0'"],
  [{ guard: [70000] }, "at '/guard/0'"],
  [{ listen: { port: 0 } }, "at '/listen/port'"],
  [{ listen: { address: "0.0.0.0" } }, "at '/listen/address'"],
  [{ stateDir: "var/lib" }, "at '/stateDir'"],
  [{ stateDir: "/" }, "at '/stateDir'"],
  [{ image: { digest: "sha256:abc" } }, "at '/image/digest'"],
  [{ image: { pullPolicy: "Sometimes" } }, "at '/image/pullPolicy'"],
  [{ uninstall: { table: "Remove" } }, "at '/uninstall/table'"],
  [{ updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } }, "maxSurge"],
  [{ watchedConfigMaps: ["policies"] }, "at '/watchedConfigMaps/0'"],
  [{ crd: { secrets: [{ namespace: "a" }] } }, "missing property 'name'"],
  [{ extraArgs: { "Log Level": "debug" } }, "at '/extraArgs'"],
  [{ sidecar: { service: { type: "ClusterIP" } } }, "at '/sidecar/service/type'"],
  [{ maxSources: "many" }, "at '/maxSources'"],
  [policy({ knock: { stepz: ["1001/udp"] } }), "additional properties 'stepz' not allowed"],
  [policy({ knock: { steps: [] } }), "at '/sequences/ssh/knock/steps'"],
  [policy({ opens: { ports: ["22/tcp"] } }), "missing property 'for'"],
  [{ sequences: { "No Name": policy({}).sequences.ssh } }, "invalid propertyName 'No Name'"],
])("the schema refuses %j", async (values, place) => {
  expect(await refusal(values)).toContain(place);
});

test.each<readonly [Values, string]>([
  [{ crd: { enabled: false } }, "there is nothing to guard"],
  [{ defaultDrop: true, trust: ["192.0.2.0/24"] }, "set allowCritical: true"],
  [{ crd: { allNamespaces: true, namespaces: ["a"] } }, "leave crd.namespaces out"],
  [{ ...policy({}), sequencesAs: "KnockSequence", crd: { enabled: false } }, "nobody would read the objects"],
  [{ podMonitor: { enabled: true }, listen: { address: "Loopback" } }, "cannot be scraped from outside"],
  [{ prometheusRule: { enabled: true, alerts: { NoSuchAlert: { enabled: false } } } }, "there is no such alert"],
])("refused with a sentence: %j", async (values, sentence) => {
  expect(await refusal(values)).toContain(sentence);
});
