import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dashboardPanels, filledIn } from "./dashboard-panels.ts";
import { legendName, type PanelData, type Span } from "./picture/drawn-data.ts";
import { dashboardPicture } from "./picture/picture.ts";
import { WatchedNodes } from "./watched-nodes.ts";

const file = fileURLToPath(new URL("../../docs/dashboard.svg", import.meta.url));
const sceneSeconds = 420;
const spans = { rateInterval: "20s", range: `${sceneSeconds}s` };

let nodes: WatchedNodes;

beforeAll(async () => {
  nodes = await WatchedNodes.build();
}, 60_000);

afterAll(async () => {
  await nodes?.remove();
});

/** What happens again and again, by the seconds between two times. */
const usual: readonly (readonly [everySeconds: number, act: () => Promise<void>])[] = [
  [4, () => nodes.knock("north", "ssh")],
  [9, () => nodes.knock("north", "ssh", "ipv6")],
  [7, () => nodes.knock("south", "ssh")],
  [13, () => nodes.knock("south", "admin", "ipv6")],
  [31, () => nodes.knock("south", "backup")],
  [11, () => nodes.err("north", "ssh")],
  [17, () => nodes.dawdle("south", "ssh", pause(2100))],
  [5, () => nodes.tryDoor("north", 22, 1500)],
  [8, () => nodes.tryDoor("south", 8443, 1500)],
  [12, () => nodes.flood("north", "scan", 300, 60)],
  [19, () => nodes.flood("south", "scan", 200, 60)],
];

/** What goes wrong, and when it is mended. */
const faults: readonly (readonly [atSeconds: number, act: () => Promise<void> | void])[] = [
  [60, () => nodes.flood("north", "guess", 12_000, 400)],
  [100, () => nodes.deleteTable()],
  [110, () => nodes.flood("south", "guess", 4000, 200)],
  [150, () => nodes.spare("lose")],
  [200, () => nodes.reject(true)],
  [230, () => nodes.garble(true)],
  [300, () => nodes.garble(false)],
  [310, () => nodes.knockUnwelcome("north", "ssh")],
  [330, () => nodes.spare("bring back")],
  [380, () => nodes.reject(false)],
];

/** Plays everything until the time is over, then looks, while visitors still come and go. */
async function playScene<Seen>(look: () => Promise<Seen>): Promise<Seen> {
  let isOver = false;
  const again = usual.map(async ([everySeconds, act]) => {
    while (!isOver) {
      await act();
      await pause(everySeconds * 1000);
    }
  });
  const once = faults.map(async ([atSeconds, act]) => {
    await pause(atSeconds * 1000);
    await act();
  });
  await Promise.all([...once, pause(sceneSeconds * 1000)]);
  const seen = await look();
  isOver = true;
  await Promise.all(again);
  return seen;
}

async function dataOf(panel: PanelData["panel"], span: Span): Promise<PanelData> {
  const answers = (panel.targets ?? []).map(async ({ expr, legendFormat, instant }) => {
    const query = filledIn(expr, spans);
    const { prometheus } = nodes;
    const series = await (instant ? prometheus.query(query) : prometheus.queryRange(query, span));
    return series.map((each) => ({ ...each, name: legendName(legendFormat, each.labels) }));
  });
  return { panel, series: (await Promise.all(answers)).flat() };
}

async function lookAtAll(): Promise<{ panels: PanelData[]; span: Span }> {
  const toSeconds = Math.floor(Date.now() / 1000);
  const span: Span = { fromSeconds: toSeconds - sceneSeconds, toSeconds, stepSeconds: 4 };
  return { panels: await Promise.all(dashboardPanels().map((panel) => dataOf(panel, span))), span };
}

test("the dashboard is drawn from what a real Prometheus saw of two real agents", { timeout: 600_000 }, async () => {
  const { panels, span } = await playScene(lookAtAll);
  const picture = dashboardPicture(panels, span);
  expect(picture.length).toBeLessThan(300_000);
  writeFileSync(file, picture);
  console.log(`${file}: ${Math.round(picture.length / 1000)} kB`);
});
