import { createSign, randomUUID } from "node:crypto";
import type { ClusterAccess } from "./cluster-access.ts";

/** Whom a token is for, and after how many seconds from now the API server refuses it (one that it has just seen, 10 s later). */
export interface ShortLivedToken {
  readonly namespace: string;
  readonly account: string;
  /** Of the service account, which the API server compares. */
  readonly uid: string;
  readonly seconds: number;
}

/** The API server takes a token for so long after it has run out (go-jose's DefaultLeeway). */
const leewaySeconds = 60;

/** Signs a token as the API server does (RFC 7519, RS256), which does so for ten minutes at least. */
export function signToken(token: ShortLivedToken, { issuer, signingKey }: ClusterAccess): string {
  const expiry = Math.floor(Date.now() / 1000) + token.seconds - leewaySeconds;
  const { namespace, account, uid } = token;
  const claims = {
    iss: issuer,
    aud: [issuer],
    sub: `system:serviceaccount:${namespace}:${account}`,
    jti: randomUUID(),
    iat: expiry - 3600,
    nbf: expiry - 3600,
    exp: expiry,
    "kubernetes.io": { namespace, serviceaccount: { name: account, uid } },
  };
  const signed = [{ alg: "RS256", typ: "JWT" }, claims].map(encode).join(".");
  return `${signed}.${createSign("RSA-SHA256").update(signed).sign(signingKey, "base64url")}`;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
