import { request } from "node:https";
import type { ClusterAccess } from "./cluster-access.ts";

/** One question to the API server. */
export interface ApiRequest {
  /** Default GET. */
  readonly method?: string;
  /** `/apis/knockgate.io/v1alpha1/...`, with its query. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default application/json; a patch needs its own. */
  readonly contentType?: string;
  /** Default the administrator's. */
  readonly token?: string;
}

/** What it answered; a status of 400 and more is an answer too. */
export interface ApiAnswer {
  readonly status: number;
  readonly text: string;
}

/** Asks the API server without a client library, so that what is tested does not test itself. Rejects when there is no answer. */
export function askApi(access: ClusterAccess, question: ApiRequest): Promise<ApiAnswer> {
  const { method = "GET", path, body, contentType = "application/json", token = access.adminToken } = question;
  const headers = { authorization: `Bearer ${token}`, "content-type": contentType, accept: "application/json" };
  return new Promise((resolve, reject) => {
    const options = { method, headers, ca: access.certificate, agent: false, timeout: 10_000 } as const;
    const asked = request(new URL(path, access.server), options, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text })).on("error", reject);
    });
    asked.on("timeout", () => asked.destroy(new Error(`${method} ${path}: no answer in 10 s`))).on("error", reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
