/**
 * One line of a knockd.conf that says something. Blank lines and those beginning with `#` say nothing, and there are no
 * comments behind a value.
 *
 *     [openSSH]                   section
 *         sequence = 7000,8000    setting
 *         UseSyslog               word
 */
export type KnockdLine = { readonly line: number } & (
  | { readonly kind: "section"; readonly name: string }
  | { readonly kind: "setting"; readonly key: string; readonly value: string }
  | { readonly kind: "word"; readonly key: string }
);

/** Reads the lines as knockd 0.8 does: trimmed, split at the first `=`, keys in any case. Pure; never throws. */
export function readKnockdLines(text: string): readonly KnockdLine[] {
  const found: KnockdLine[] = [];
  for (const [at, raw] of text.split("\n").entries()) {
    const content = trimBlanks(raw);
    if (content === "" || content.startsWith("#")) continue;
    found.push({ line: at + 1, ...readLine(content) });
  }
  return found;
}

/** A line that begins with `[` and does not end with `]` is no section; knockd reads it as a setting. */
function readLine(content: string) {
  if (content.startsWith("[") && content.endsWith("]")) return { kind: "section", name: content.slice(1, -1) } as const;
  const split = content.indexOf("=");
  if (split < 0) return { kind: "word", key: content.toUpperCase() } as const;
  const key = trimBlanks(content.slice(0, split)).toUpperCase();
  return { kind: "setting", key, value: trimBlanks(content.slice(split + 1)) } as const;
}

/** Without the white space of C's `isspace` at both ends; others, such as a no-break space, stay and are part of the value. */
export function trimBlanks(text: string): string {
  return text.replace(/^[ \t\r\v\f]+|[ \t\r\v\f]+$/g, "");
}
