import type { BenchSeries } from "./bench-results.ts";

const width = 760;
const panel = { left: 60, right: 200, top: 46, height: 190, gap: 64 };
/** The axis of time, from 0.1 ms to 10 s, by powers of ten. */
const decades = { from: -1, to: 4 };
const colours: Readonly<Record<string, string>> = { knockgate: "#0b7285", knockd: "#d9480f", fwknopd: "#862e9c" };
const shares = [0, 0.25, 0.5, 0.75, 1];

/** An SVG: for each kind of work one panel with the share of knocks that had opened after so long, a curve for each gate. */
export function latencyDrawing(series: readonly BenchSeries[]): string {
  const works = [...new Set(series.map(({ work }) => work))];
  const height = panel.top + works.length * (panel.height + panel.gap);
  const panels = works.map((work, at) => {
    const top = panel.top + at * (panel.height + panel.gap);
    return panelOf(
      work,
      series.filter((one) => one.work === work),
      top,
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#ffffff"/>
${panels.join("\n")}
</svg>
`;
}

function panelOf(work: string, series: readonly BenchSeries[], top: number): string {
  const bottom = top + panel.height;
  const right = width - panel.right;
  const title = `<text x="${panel.left}" y="${top - 14}" font-size="14" fill="#212529">${work}</text>`;
  const times: string[] = [];
  for (let decade = decades.from; decade <= decades.to; decade++) {
    const x = xOf(10 ** decade).toFixed(1);
    times.push(`<line x1="${x}" y1="${top}" x2="${x}" y2="${bottom}" stroke="#dee2e6"/>`);
    times.push(`<text x="${x}" y="${bottom + 18}" text-anchor="middle" fill="#495057">${timeOf(decade)}</text>`);
  }
  const levels = shares.flatMap((share) => {
    const y = yOf(share, top).toFixed(1);
    return [
      `<line x1="${panel.left}" y1="${y}" x2="${right}" y2="${y}" stroke="#dee2e6"/>`,
      `<text x="${panel.left - 8}" y="${Number(y) + 4}" text-anchor="end" fill="#495057">${share * 100} %</text>`,
    ];
  });
  const curves = series.map(({ rival, milliseconds, knocks }, at) => {
    const colour = colours[rival] ?? "#212529";
    const legend = `${rival}: ${medianOf(milliseconds, knocks)}`;
    return [
      `<path d="${curveOf(milliseconds, knocks, top)}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<line x1="${right + 16}" y1="${top + 12 + at * 20}" x2="${right + 36}" y2="${top + 12 + at * 20}" stroke="${colour}" stroke-width="2"/>`,
      `<text x="${right + 42}" y="${top + 16 + at * 20}" fill="#212529">${legend}</text>`,
    ].join("\n");
  });
  return [title, ...times, ...levels, ...curves].join("\n");
}

/** Steps upward at each time; what never opened is missing at the top. */
function curveOf(milliseconds: readonly number[], knocks: number, top: number): string {
  const points = milliseconds.map((time, at) => {
    const share = (at + 1) / knocks;
    return `L${xOf(time).toFixed(1)} ${yOf(share, top).toFixed(1)}`;
  });
  return `M${xOf(milliseconds[0] ?? 1).toFixed(1)} ${yOf(0, top).toFixed(1)} ${points.join(" ")}`;
}

function medianOf(milliseconds: readonly number[], knocks: number): string {
  const median = milliseconds[Math.ceil(knocks / 2) - 1];
  return median === undefined
    ? `${milliseconds.length} of ${knocks} opened`
    : `${median.toFixed(median < 10 ? 2 : 0)} ms`;
}

function xOf(milliseconds: number): number {
  const share = (Math.log10(Math.max(milliseconds, 0.1)) - decades.from) / (decades.to - decades.from);
  return panel.left + Math.min(1, Math.max(0, share)) * (width - panel.left - panel.right);
}

function yOf(share: number, top: number): number {
  return top + panel.height * (1 - share);
}

function timeOf(decade: number): string {
  return decade < 3 ? `${10 ** decade} ms` : `${10 ** (decade - 3)} s`;
}
