/** How quiet the log may be made; audit records are written at every level. */
export const logLevels = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof logLevels)[number];

/** JSON lines for programs, or text for people. */
export const logFormats = ["json", "pretty"] as const;
export type LogFormat = (typeof logFormats)[number];
