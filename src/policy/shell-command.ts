/** One simple command of a shell's command line. */
export interface ShellCommand {
  /** Without quotes and redirections. */
  readonly words: readonly string[];
  /** As it stands in the line. */
  readonly text: string;
  /** What stands before it. */
  readonly after: "" | ";" | "&&" | "||";
}

const separators = /^(?:;|\n|&&|\|\|)/;
/** Redirections of one word or two: `>/dev/null`, `2>&1`, `>> file`. */
const redirection = /^(?:\d?>>?&\d|[\d&]?>>?\s*[^\s;&|<>()]+)/;
const keywords: ReadonlySet<string> = new Set(["if", "for", "while", "until", "case", "{", "!"]);

/**
 * Splits a line into its simple commands (POSIX shell, 2.9 and 2.10). Undefined where it takes a shell to say what it does: pipes,
 * variables, substitutions, loops, groups, background jobs.
 */
export function splitShell(line: string): readonly ShellCommand[] | undefined {
  const commands: ShellCommand[] = [];
  let rest = line.trim();
  let after: ShellCommand["after"] = "";
  while (rest !== "") {
    const read = readSimple(rest);
    if (read === undefined || keywords.has(read.words[0] ?? "")) return undefined;
    if (read.words.length > 0) commands.push({ words: read.words, text: rest.slice(0, read.length).trim(), after });
    rest = rest.slice(read.length);
    const separator = separators.exec(rest)?.[0];
    if (separator === undefined) return rest.trim() === "" ? commands : undefined;
    after = separator === "&&" || separator === "||" ? separator : ";";
    rest = rest.slice(separator.length).trim();
  }
  return commands;
}

/** Words up to a separator; undefined where something stands there that only a shell understands. */
function readSimple(text: string): { readonly words: readonly string[]; readonly length: number } | undefined {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    at += /^[ \t]*/.exec(text.slice(at))?.[0].length ?? 0;
    const rest = text.slice(at);
    if (rest === "" || separators.test(rest)) return { words, length: at };
    const redirected = redirection.exec(rest)?.[0];
    if (redirected !== undefined) {
      at += redirected.length;
      continue;
    }
    const word = readWord(rest);
    if (word === undefined) return undefined;
    words.push(word.value);
    at += word.length;
  }
}

/** One word of bare and quoted pieces: `--rich-rule='rule family="ipv4"'`. */
function readWord(text: string): { readonly value: string; readonly length: number } | undefined {
  let value = "";
  let at = 0;
  for (;;) {
    const piece = /^(?:'([^']*)'|"((?:[^"\\$`]|\\.)*)"|\\(.)|([^\s'"\\$`;&|<>()]+))/s.exec(text.slice(at));
    if (piece === null) break;
    const [whole, single, double, escaped, bare] = piece;
    value += single ?? double?.replace(/\\(["\\$`])/g, "$1") ?? escaped ?? bare ?? "";
    at += whole.length;
  }
  return at === 0 || /^['"$`]/.test(text.slice(at)) ? undefined : { value, length: at };
}
