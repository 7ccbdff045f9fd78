import { type ChildProcess, execFile, spawn } from "node:child_process";

/**
 * The one place of this stage that starts processes: the capture child, ip(8), journalctl(1), and what ends a child that gave up root.
 * None of them inherits the agent's environment or its Node options.
 */

/** Where Debian keeps ip(8), beside the usual places: services often run without the sbin folders in their path. */
const searchPath = `${process.env.PATH ?? ""}:/usr/sbin:/usr/bin:/sbin:/bin`;
/** More than the addresses of a node with ten thousand services. */
const mostOutputBytes = 16 * 1024 * 1024;
const readTimeoutMs = 5000;
/** `nobody` and `nogroup` of Debian; every system knows them as the overflow ids (user_namespaces(7)). */
export const nobody = 65534;

/**
 * Becomes the command given as more arguments, which the kernel ends with the agent (prctl(2), PR_SET_PDEATHSIG): `ip monitor`
 * looks at nothing but its socket, and would outlive a killed agent until the next change of a link. Where setpriv(1) is
 * missing or older than that option it does.
 */
const dyingWithUs = `setpriv --pdeathsig KILL true && exec setpriv --pdeathsig KILL "$@"; exec "$@"`;

/** A process that runs until it is stopped. */
export interface Following {
  stop(): void;
}

/** How the links are read; a test gives its own. */
export interface LinkCommands {
  /** `ip -j addr show`, or rejects with a reason. */
  readAddresses(): Promise<string>;
  /** `ip monitor link address`: tells that something has changed, with what it printed, and that the process has ended. */
  followChanges(changed: (printed: Uint8Array) => void, ended: () => void): Following;
}

/** The real ip(8). */
export const ipCommand: LinkCommands = {
  readAddresses: () =>
    new Promise((resolve, reject) => {
      const options = {
        env: { PATH: searchPath },
        maxBuffer: mostOutputBytes,
        timeout: readTimeoutMs,
        killSignal: "SIGKILL",
      } as const;
      execFile("ip", ["-j", "addr", "show"], options, (error, output) =>
        error === null ? resolve(output) : reject(error),
      );
    }),
  followChanges: (changed, ended) => follow("ip", ["monitor", "link", "address"], changed, ended),
};

/** Follows the journal: tells what was printed, and once that it has ended, with the last it said. */
export type FollowJournal = (printed: (chunk: Uint8Array) => void, ended: (why: string) => void) => Following;

/** The real journalctl(1): the kernel's messages of this boot from now on, one JSON object a line. */
export const followJournal: FollowJournal = (printed, ended) =>
  follow("journalctl", ["--dmesg", "--follow", "--lines=0", "--output=json"], printed, ended);

/** Follows a program that ends with the agent; `ended` is told once, with the last line it said on standard error or why it is not there. */
function follow(
  program: string,
  args: readonly string[],
  printed: (chunk: Uint8Array) => void,
  ended: (why: string) => void,
): Following {
  const child = spawn("sh", ["-c", dyingWithUs, "sh", program, ...args], {
    env: { PATH: searchPath },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let over = false;
  const end = (why: string) => {
    if (!over) ended(why);
    over = true;
  };
  child.stdout.on("data", printed);
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = `${said}${text}`.slice(-200);
  });
  child.on("error", (error) => end(error.message));
  child.on("close", () => end(said.trim().split("\n").at(-1) ?? ""));
  return {
    stop: () => {
      over = true;
      child.kill("SIGKILL");
    },
  };
}

/**
 * Starts the capture child: messages go to its standard input and come from its standard output, a line each; descriptor 3
 * carries its records; it may say on descriptor 2 why it ends. The end of its input tells it that the agent is gone.
 */
export function startCaptureChild(path: string): ChildProcess {
  return spawn(process.execPath, [path], {
    stdio: ["pipe", "pipe", "pipe", "pipe"],
    env: { UV_USE_IO_URING: "0" },
  });
}

/**
 * Ends a child at once. Root without CAP_KILL may not signal a process of nobody (kill(2)): then a process of nobody does.
 */
export function endAtOnce(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EPERM") endAsNobody(pid);
    else if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function endAsNobody(pid: number): void {
  const program = `try { process.kill(${pid}, "SIGKILL") } catch {}`;
  const killer = spawn(process.execPath, ["-e", program], { uid: nobody, gid: nobody, env: {}, stdio: "ignore" });
  killer.on("error", () => {
    // Without CAP_SETUID there is no nobody to become, and the child did not become it either.
  });
  killer.unref();
}
