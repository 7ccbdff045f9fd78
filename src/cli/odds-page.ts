import { averageOdds, type ScannedPorts, sampleSize } from "./scan-odds.ts";

const lengths = [2, 3, 4, 5];
const decoyCounts = [0, 16, 64, 256];

/** The page docs/reference/odds.md, computed: how likely a port scan in random order opens a door. */
export function oddsPage(): string {
  const odds = decoyCounts.map((decoys) => lengths.map((steps) => averageOdds(steps, decoys)));
  const table = (ports: ScannedPorts) => oddsTable(odds.map((row) => row.map((cell) => cell[ports])));
  return `# Can a port scan open the door?

A scan that sends to every port also sends to every step. What it does not know is the order. A scan opens a door when it
happens to hit the steps in their order, in time, without touching another watched port in between: another step of the
same policy or one of its *decoys*, ports that are watched though nobody knocks on them. This page gives the odds. They
are never zero.

## In random order

The odds that **one pass** over the ports, each sent to once and all within the window, opens a door whose steps are
different TCP ports. Where m ports of the policy are watched and n of them are steps, they are (m − n + 1)! / m!, because
only the order of the watched ports matters and the steps have to stand next to each other. Averaged over ${sampleSize} sequences,
with the decoys that this program draws.

### Over all 65,535 ports

${table("all")}

### Over the 1,000 ports that scanners try first

Only where **all** steps are among these ports; a single step that is not makes the odds zero.

${table("usual")}

Twice as many passes are twice as likely. A scanner that gets no answer sends again, and each such round counts as a pass: nmap
sends to a silent port up to ten more times. A scan that takes longer than the window (\`within\`) to get from the first step to
the last cannot open the door in that pass.

## In ascending or descending order

Such a scan comes past a neighbour of each step, which is a decoy, before it reaches the next step. Scans of every second
port come past the decoys that lie between each two steps. They open nothing, unless the steps lie in the stride of the
scan: 7000, 7001, 7002 for every port; 7000, 7002, 7004 for the even ones if no port is left between them; 7000, 8000,
9000 for every thousandth. \`knockgate check\` warns of steps that ascend, descend or are contiguous.

## What follows

* Take four steps or more where port scans are common, and mix protocols: a scan of TCP alone never opens a sequence that
  also has UDP steps.
* Take steps outside the 1,000 usual ports, in no order, and not round numbers.
* \`decoys: 0\` switches all decoys off, the neighbours of the steps too.
`;
}

/** A row for each number of decoys, a column for each number of steps. */
function oddsTable(odds: readonly (readonly number[])[]): string {
  const head = ["decoys", ...lengths.map((steps) => `${steps} steps`)];
  const rows = odds.map((row, at) => [String(decoyCounts[at]), ...row.map((cell) => `once in ${rounded(1 / cell)}`)]);
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Three digits are enough. */
function rounded(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString("en-US");
}
