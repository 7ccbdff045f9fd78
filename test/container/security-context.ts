/** What an agent's container may do: the four capabilities, and nothing that could add to them. */
export const agentCapabilities = ["NET_ADMIN", "NET_RAW", "SETUID", "SETGID"];

/** Without this one a container gives its processes no more than it names; seccomp stays the engine's default profile. */
export const noNewPrivileges = "no-new-privileges";

/** Where the agent writes; everything else is read-only. */
export const writableFolders = { "/var/lib/knockgate": "mode=0700", "/run/knockgate": "mode=0700" } as const;
