import type { DrawnPanel } from "../dashboard-panels.ts";
import type { DrawnSeries, PanelData, Span } from "./drawn-data.ts";
import { linePanel } from "./line-panel.ts";
import { statePanel } from "./state-panel.ts";
import { type Box, colours, fitted, rectangle, text } from "./svg.ts";
import { inUnit } from "./units.ts";

const column = 52;
const gridRow = 29;
const gap = 8;

/** The dashboard as one SVG: its panels where Grafana puts them, each with what Prometheus answered. */
export function dashboardPicture(panels: readonly PanelData[], span: Span): string {
  const width = 24 * column + gap;
  const height = Math.max(...panels.map(({ panel: { gridPos } }) => gridPos.y + gridPos.h)) * gridRow + gap;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="Helvetica, Arial, sans-serif">`;
  const page = rectangle({ x: 0, y: 0, width, height }, colours.page);
  const title = "<title>Knockgate's dashboard</title>";
  return `${head}${title}${page}\n${panels.map((data) => panelText(data, span)).join("\n")}\n</svg>\n`;
}

function panelText({ panel, series }: PanelData, span: Span): string {
  const { x, y, w, h } = panel.gridPos;
  const box = { x: x * column + gap, y: y * gridRow + gap, width: w * column - gap, height: h * gridRow - gap };
  if (panel.type === "row") return text(box.x, box.y + 17, panel.title, { size: 16, bold: true });
  const edge = ` rx="3" stroke="${colours.edge}"`;
  const title = text(box.x + 10, box.y + 20, fitted(panel.title, box.width - 20, 14), { size: 13, bold: true });
  const inside = { x: box.x + 10, y: box.y + 30, width: box.width - 20, height: box.height - 38 };
  return rectangle(box, colours.panel, edge) + title + content(panel, series, inside, span);
}

function content(panel: DrawnPanel, series: readonly DrawnSeries[], box: Box, span: Span): string {
  const unit = panel.fieldConfig?.defaults.unit ?? "none";
  switch (panel.type) {
    case "row":
      return "";
    case "stat":
      return statPanel(box, series, unit);
    case "timeseries":
      return linePanel(box, series, unit, span);
    case "state-timeline":
      return statePanel(box, panel, series, span);
    case "table":
      return tablePanel(box, series);
    default:
      return panel.type satisfies never;
  }
}

/** Large numbers side by side; with a name where there are several. */
function statPanel(box: Box, series: readonly DrawnSeries[], unit: string): string {
  return series
    .map(({ name, points }, at) => {
      const x = box.x + (box.width * (at + 0.5)) / series.length;
      const value = inUnit(points.at(-1)?.[1] ?? Number.NaN, unit);
      const number = text(x, box.y + 38, value, { size: 30, colour: colours.green, anchor: "middle", bold: true });
      const label = { size: 11, colour: colours.faint, anchor: "middle" } as const;
      return series.length === 1 ? number : number + text(x, box.y + 57, name, label);
    })
    .join("");
}

/** The labels of each series, a column each. */
function tablePanel(box: Box, series: readonly DrawnSeries[]): string {
  const heads = [...new Set(series.flatMap(({ labels }) => Object.keys(labels)))].filter((label) => label !== "job");
  const wide = box.width / heads.length;
  const rows = [heads, ...series.map(({ labels }) => heads.map((head) => labels[head] ?? ""))];
  return rows
    .flatMap((row, line) =>
      row.map((cell, at) =>
        text(box.x + at * wide, box.y + 14 + line * 22, fitted(cell, wide - 8), {
          ...(line === 0 && { colour: colours.faint, bold: true }),
        }),
      ),
    )
    .join("");
}
