import type { DrawnSeries, Span } from "./drawn-data.ts";
import { type Box, colours, fitted, round, rule, text, widthOf } from "./svg.ts";
import { inUnit, niceStep } from "./units.ts";

const legendLine = 16;
const legendSize = 11;

/** Lines over time, with an axis on the left, minutes below and a legend under that. */
export function linePanel(box: Box, series: readonly DrawnSeries[], unit: string, span: Span): string {
  const legend = placedLegend(entriesOf(series, unit), box.width);
  const bottom = box.height - legend.lines * legendLine - 18;
  const values = series.flatMap(({ points }) => points.map(([, value]) => value)).filter(Number.isFinite);
  const greatest = Math.max(0, ...values) || 1;
  const step = niceStep(greatest, 4, unit);
  const top = Math.ceil(greatest / step - 1e-9) * step;
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, at) => at * step);
  const left = Math.max(...ticks.map((tick) => widthOf(inUnit(tick, unit), 11))) + 8;
  const plot: Box = { x: box.x + left, y: box.y + 6, width: box.width - left - 4, height: bottom - 6 };
  const yOf = (value: number) => plot.y + plot.height * (1 - value / top);
  const drawn = [
    ...ticks.flatMap((tick) => [
      rule(plot.x, yOf(tick), plot.x + plot.width, yOf(tick), colours.grid),
      text(plot.x - 6, yOf(tick) + 4, inUnit(tick, unit), { size: 11, colour: colours.faint, anchor: "end" }),
    ]),
    ...timeAxis(plot, span),
    ...series.map(({ points }, at) => line(points, plot, span, yOf, colourOf(at))).reverse(),
    ...legend.texts(box.x, box.y + bottom + 32),
  ];
  return drawn.join("");
}

/** Minutes since the beginning, under a plot. */
export function timeAxis(plot: Box, { fromSeconds, toSeconds }: Span): string[] {
  const minutes = Math.floor((toSeconds - fromSeconds) / 60);
  const every = Math.ceil(minutes / 6);
  return Array.from({ length: Math.floor(minutes / every) + 1 }, (_, at) => {
    const minute = at * every;
    const x = plot.x + (plot.width * minute * 60) / (toSeconds - fromSeconds);
    const anchor = minute === 0 ? "start" : "middle";
    return text(x, plot.y + plot.height + 14, minute === 0 ? "0 min" : String(minute), {
      size: 10,
      colour: colours.faint,
      anchor,
    });
  });
}

function colourOf(at: number): string {
  return colours.lines[at % colours.lines.length] ?? colours.text;
}

/** One line; where points are missing or no number it has a gap, and a point between two gaps is a dot. */
function line(points: DrawnSeries["points"], plot: Box, span: Span, yOf: (value: number) => number, colour: string) {
  const xOf = (at: number) => plot.x + (plot.width * (at - span.fromSeconds)) / (span.toSeconds - span.fromSeconds);
  const pieces: string[][] = [];
  let lastAt = Number.NEGATIVE_INFINITY;
  for (const [at, value] of points) {
    if (!Number.isFinite(value)) continue;
    if (at - lastAt > span.stepSeconds * 1.5) pieces.push([]);
    pieces.at(-1)?.push(`${round(xOf(at))} ${round(yOf(value))}`);
    lastAt = at;
  }
  const path = pieces.map((piece) => `M${piece.length === 1 ? `${piece[0]}h.1` : piece.join("L")}`).join("");
  if (path === "") return "";
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"/>`;
}

interface LegendEntry {
  readonly name: string;
  readonly colour: string | undefined;
}

/** Series that are all at zero share one entry, so that the others can be read. */
function entriesOf(series: readonly DrawnSeries[], unit: string): LegendEntry[] {
  const named = series.map(({ name, points }, at) => {
    const last = points.filter(([, value]) => Number.isFinite(value)).at(-1)?.[1];
    const isNothing = points.every(([, value]) => !(Math.abs(value) > 0));
    return {
      name: last === undefined ? name : `${name} ${inUnit(last, unit)}`,
      bare: name,
      colour: colourOf(at),
      isNothing,
    };
  });
  const nothing = named.filter(({ isNothing }) => isNothing);
  const rest =
    nothing.length === 0 ? [] : [{ name: `at zero: ${nothing.map(({ bare }) => bare).join(", ")}`, colour: undefined }];
  return [...named.filter(({ isNothing }) => !isNothing), ...rest];
}

function placedLegend(entries: readonly LegendEntry[], width: number) {
  const placed: { readonly entry: LegendEntry; readonly x: number; readonly row: number }[] = [];
  let x = 0;
  let row = 0;
  for (const entry of entries) {
    const mark = entry.colour === undefined ? 0 : 14;
    const name = fitted(entry.name, width - mark, legendSize);
    const wide = mark + widthOf(name, legendSize) + 12;
    if (x > 0 && x + wide - 12 > width) {
      x = 0;
      row++;
    }
    placed.push({ entry: { ...entry, name }, x, row });
    x += wide;
  }
  const texts = (left: number, y: number) =>
    placed.map(({ entry: { name, colour }, x, row }) => {
      const base = y + row * legendLine;
      if (colour === undefined) return text(left + x, base, name, { size: legendSize, colour: colours.faint });
      const mark = `<path d="M${round(left + x)} ${round(base - 4)}h10" stroke="${colour}" stroke-width="3"/>`;
      return mark + text(left + x + 14, base, name, { size: legendSize });
    });
  return { lines: row + 1, texts };
}
