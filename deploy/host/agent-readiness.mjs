// Waits for an agent to be ready; also as a program of its own, to be run inside a namespace: PORT [SECONDS].
import { get } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** What `/readyz` on loopback answers: its status and text; status 0 when nobody listens. */
export function readiness(port) {
  return new Promise((resolve) => {
    const asking = get({ host: "127.0.0.1", port, path: "/readyz", timeout: 1000 }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode, body }));
    });
    asking.on("timeout", () => asking.destroy());
    asking.on("error", () => resolve({ status: 0, body: "nobody listens" }));
  });
}

/** Resolves to undefined when the agent is ready, else to what it last said when time is up or `isOver` says so. */
export async function waitUntilReady(port, seconds, isOver = () => false) {
  const endsAt = performance.now() + seconds * 1000;
  for (;;) {
    const { status, body } = await readiness(port);
    if (status === 200) return undefined;
    if (isOver() || performance.now() > endsAt) return failures(body);
    await pause(50);
  }
}

/** The stages that are not well, in the agent's words. */
function failures(body) {
  try {
    return JSON.parse(body).failures.join("; ");
  } catch {
    return body;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const trouble = await waitUntilReady(Number(process.argv[2]), Number(process.argv[3] ?? 15));
  if (trouble !== undefined) console.log(trouble);
  process.exitCode = trouble === undefined ? 0 : 1;
}
