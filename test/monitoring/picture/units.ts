/** Numbers as Grafana writes them, for the units that the dashboard uses. */
export function inUnit(value: number, unit: string): string {
  switch (unit) {
    case "s":
      return seconds(value);
    case "bytes":
      return `${plain(value / 2 ** 20)} MiB`;
    case "percentunit":
      return `${plain(value * 100)} %`;
    case "pps":
    case "cps":
      return `${plain(value)}/s`;
    case "cpm":
      return `${plain(value)}/min`;
    default:
      return plain(value);
  }
}

/** A step between ticks that people like: 1, 2 or 5 times a power of ten of what the unit is written in, so many of them at most. */
export function niceStep(greatest: number, most: number, unit: string): number {
  const scale = scaleOf(greatest, unit);
  return scale * decimalStep(greatest / scale / most);
}

function scaleOf(greatest: number, unit: string): number {
  if (unit === "bytes") return 2 ** 20;
  return unit === "s" && greatest >= 120 ? 60 : 1;
}

function decimalStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return ([1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10) * power;
}

function seconds(value: number): string {
  if (value === 0) return "0";
  if (value < 0.001) return `${plain(value * 1e6)} µs`;
  if (value < 1) return `${plain(value * 1000)} ms`;
  return value < 120 ? `${plain(value)} s` : `${plain(value / 60)} min`;
}

function plain(value: number): string {
  if (value >= 10_000) return `${plain(value / 1000)} k`;
  return String(value >= 100 ? Math.round(value) : Number(value.toPrecision(2)));
}
