/** A rectangle in the picture's own pixels. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The colours of the picture. Lines take theirs in order, and begin again. */
export const colours = {
  page: "#eef0f3",
  panel: "#ffffff",
  edge: "#d5d9e0",
  grid: "#e6e8ec",
  text: "#22262b",
  faint: "#6a7180",
  green: "#3f9c4c",
  red: "#d1403f",
  lines: ["#2f7ed8", "#e08a1e", "#3f9c4c", "#b04fc4", "#d1403f", "#138f9e", "#8a6d3b", "#5c6ac4", "#7a8b2b", "#c2577f"],
} as const;

/** How text stands at its point. */
export interface TextLook {
  readonly size?: number;
  readonly colour?: string;
  readonly anchor?: "start" | "middle" | "end";
  readonly bold?: boolean;
}

/** One line of text; y is its base line. */
export function text(x: number, y: number, words: string, look: TextLook = {}): string {
  const { size = 12, colour = colours.text, anchor = "start", bold = false } = look;
  const weight = bold ? ' font-weight="600"' : "";
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" fill="${colour}" text-anchor="${anchor}"${weight}>${escaped(words)}</text>`;
}

/** A filled rectangle. */
export function rectangle({ x, y, width, height }: Box, fill: string, more = ""): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" fill="${fill}"${more}/>`;
}

/** A level or upright line. */
export function rule(x1: number, y1: number, x2: number, y2: number, colour: string): string {
  return `<path d="M${round(x1)} ${round(y1)}L${round(x2)} ${round(y2)}" stroke="${colour}"/>`;
}

/** Of a character, in parts of the font's size. */
const meanWidth = 0.58;

/** How wide words are about, in a usual sans-serif font: wide enough on the safe side. */
export function widthOf(words: string, size = 12): number {
  return words.length * size * meanWidth;
}

/** Words that fit into a width, cut with an ellipsis where they do not. */
export function fitted(words: string, width: number, size = 12): string {
  const most = Math.floor(width / (size * meanWidth) + 0.01);
  return words.length <= most ? words : `${words.slice(0, Math.max(1, most - 1))}…`;
}

/** Half pixels are fine enough, and short to write. */
export function round(value: number): number {
  return Math.round(value * 2) / 2;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
