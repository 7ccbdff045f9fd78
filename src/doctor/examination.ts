import { release } from "node:os";
import { parseAddressList } from "../capture/address-list.ts";
import { planTaps } from "../capture/taps.ts";
import type { Clock } from "../clock.ts";
import { readAllFiles } from "../config-source/config-files.ts";
import { ControlClient } from "../control/control-client.ts";
import { gateSpecFor } from "../gate-spec.ts";
import { renderRuleset } from "../nftables/table-plan.ts";
import type { AgentOptions } from "../options.ts";
import { formatAddress } from "../policy/address.ts";
import { type Compilation, compile } from "../policy/compile.ts";
import { judgeDestinationNat, judgeSourceNat, judgeTracking } from "./address-translation.ts";
import { judgeCapabilities } from "./capabilities.ts";
import { judgeCapture, tryCapture } from "./capture-probe.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";
import { parseForeignRules } from "./foreign-rules.ts";
import { judgeAgents, judgeBootUnit, judgeStateDir } from "./host.ts";
import { bootUnits, folderFacts, gatewayAddresses, isLocked, legacyRules, pathFilters } from "./host-facts.ts";
import { type AskProgram, readText } from "./inquiry.ts";
import { judgeLinks, judgePathFilters } from "./links.ts";
import { judgeLegacyTables, judgeNoListing, judgeOtherTables } from "./other-tables.ts";
import { judgeSocketEnd, trySocketEnd } from "./socket-probe.ts";
import { judgeTimeSource } from "./time-source.ts";
import { judgeKernel, judgeNft, judgeRuleset } from "./versions.ts";

/** What the doctor works with. */
export interface ExaminationParts {
  readonly options: AgentOptions;
  readonly clock: Clock;
  readonly ask: AskProgram;
}

/** Looks at everything an agent with these options would need; changes nothing. The findings are in a fixed order. */
export async function examine(parts: ExaminationParts): Promise<readonly Finding[]> {
  const { compilation, finding } = await readPolicies(parts.options);
  const programs = await examinePrograms(parts, compilation);
  const network = await examineNetwork(parts);
  const tables = await examineTables(parts, compilation, network.isLocal);
  const host = await examineHost(parts);
  return [...programs, ...network.findings, ...tables, finding, ...host];
}

async function readPolicies(options: AgentOptions) {
  const { guards, serves, allowCommands, allowCritical } = options;
  const snapshot = await readAllFiles(options);
  const compileOptions = { guards, served: serves, allowCommands, allowCritical, defaultNamespace: "default" };
  const compilation = compile(snapshot.documents, compileOptions);
  const { rejected, policies, guarded } = compilation;
  const mend = "knockgate check names every problem with file, line and field";
  const faults = [
    ...snapshot.failures,
    ...(rejected > 0 ? [`${rejected} of ${rejected + policies.length} policies are rejected`] : []),
  ];
  if (faults.length > 0) return { compilation, finding: problem("policies", faults.join("; "), mend) };
  if (guarded.length === 0)
    return {
      compilation,
      finding: warning("policies", "nothing is guarded", "name policies with --config, or ports with --guard"),
    };
  return { compilation, finding: ok("policies", `${policies.length} accepted; ${guarded.length} ports are guarded`) };
}

async function examinePrograms({ options, ask, clock }: ExaminationParts, compilation: Compilation) {
  const ruleset = renderRuleset(gateSpecFor(options, compilation, []));
  return [
    ...judgeCapabilities(readText("/proc/self/status")),
    judgeKernel(release()),
    judgeNft(await ask("nft", ["--version"])),
    judgeRuleset(await ask("nft", ["--check", "-f", "-"], ruleset)),
    judgeSocketEnd(await trySocketEnd(ask, clock), compilation.cutting.length > 0),
  ];
}

async function examineNetwork({ options, ask, clock }: ExaminationParts) {
  const state = parseAddressList((await ask("ip", ["-j", "addr", "show"])).stdout);
  const taps = state === undefined ? [] : planTaps(state, options.interfaces).taps.map(({ name }) => name);
  const synchronised = (await ask("timedatectl", ["show", "--property", "NTPSynchronized", "--value"])).stdout.trim();
  const clocksource = readText("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  const local = new Set(state?.localAddresses.map(formatAddress));
  const findings = [
    ...judgeLinks(state, options.interfaces),
    ...(taps.length > 0 ? judgeCapture(await tryCapture(clock, taps)) : []),
    judgePathFilters(pathFilters(), taps),
    ...judgeTimeSource(clocksource, synchronised || undefined),
  ];
  return { findings, isLocal: (address: string) => local.has(address) };
}

async function examineTables(
  { options, ask }: ExaminationParts,
  { guarded }: Compilation,
  isLocal: (address: string) => boolean,
): Promise<readonly Finding[]> {
  const answer = await ask("nft", ["-j", "list", "ruleset"]);
  const chains = answer.status === 0 ? parseForeignRules(answer.stdout) : undefined;
  const isTracking = readText("/proc/sys/net/netfilter/nf_conntrack_max") !== undefined;
  const granted = await grantedSources(options.socket);
  return [
    ...(chains === undefined ? [judgeNoListing(answer)] : judgeOtherTables(chains, guarded)),
    judgeLegacyTables(await legacyRules(ask), guarded),
    ...judgeDestinationNat(chains ?? [], guarded, isLocal),
    judgeSourceNat(chains ?? [], granted ?? [], await gatewayAddresses(ask)),
    judgeTracking(chains ?? [], guarded, isTracking),
  ];
}

async function examineHost({ options }: ExaminationParts): Promise<readonly Finding[]> {
  const { stateDir, socket } = options;
  const socketAnswers = (await grantedSources(socket)) !== undefined;
  return [
    judgeAgents({ socketAnswers, isLocked: isLocked() }, socket),
    judgeStateDir(folderFacts(stateDir)),
    judgeBootUnit(bootUnits(stateDir)),
  ];
}

/** The sources of all grants, as the agent tells them; undefined where none answers. */
async function grantedSources(socket: string): Promise<readonly string[] | undefined> {
  try {
    return (await new ControlClient(socket).grants()).map(({ source }) => source);
  } catch {
    return undefined; // no agent, or none that this process may ask
  }
}
