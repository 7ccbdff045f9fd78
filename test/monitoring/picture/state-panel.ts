import type { DrawnPanel } from "../dashboard-panels.ts";
import type { DrawnSeries, Span } from "./drawn-data.ts";
import { timeAxis } from "./line-panel.ts";
import { type Box, colours, fitted, rectangle, text, widthOf } from "./svg.ts";

/** A bar a series, coloured by its state over time. */
export function statePanel(box: Box, panel: DrawnPanel, series: readonly DrawnSeries[], span: Span): string {
  if (series.length === 0) {
    const middle = { anchor: "middle", colour: colours.faint } as const;
    return text(box.x + box.width / 2, box.y + box.height / 2, "nothing", middle);
  }
  const sorted = series.toSorted((one, other) => one.name.localeCompare(other.name));
  const left = Math.min(box.width * 0.6, Math.max(...sorted.map(({ name }) => widthOf(name, 11))) + 8);
  const plot: Box = { x: box.x + left, y: box.y + 4, width: box.width - left - 4, height: box.height - 22 };
  const lane = Math.min(24, plot.height / sorted.length);
  const drawn = sorted.map(({ name, points }, at) => {
    const y = plot.y + at * lane;
    const label = text(plot.x - 6, y + lane / 2 + 4, fitted(name, left - 8, 11), { size: 11, anchor: "end" });
    const bar = { y: y + lane * 0.12, height: lane * 0.76 };
    return (
      label +
      stretches(points, span)
        .map((stretch) => band(stretch, bar, plot, span, panel))
        .join("")
    );
  });
  return drawn.join("") + timeAxis({ ...plot, height: lane * sorted.length }, span).join("");
}

interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly value: number;
}

/** Points of one value that follow each other without a gap. */
function stretches(points: DrawnSeries["points"], { stepSeconds, toSeconds }: Span): Stretch[] {
  const found: Stretch[] = [];
  for (const [at, value] of points) {
    const last = found.at(-1);
    const to = Math.min(toSeconds, at + stepSeconds);
    if (last?.value === value && at <= last.to + stepSeconds / 2) found[found.length - 1] = { ...last, to };
    else found.push({ from: at, to, value });
  }
  return found;
}

function band(stretch: Stretch, bar: Pick<Box, "y" | "height">, plot: Box, span: Span, panel: DrawnPanel): string {
  const scale = plot.width / (span.toSeconds - span.fromSeconds);
  const named = panel.fieldConfig?.defaults.mappings[0]?.options[String(stretch.value)]?.color;
  const colour = named === "red" ? colours.red : colours.green;
  const x = plot.x + (stretch.from - span.fromSeconds) * scale;
  return rectangle({ ...bar, x, width: (stretch.to - stretch.from) * scale }, colour);
}
