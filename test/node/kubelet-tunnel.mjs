// Inside a node's network namespace: takes HTTP CONNECT on a unix socket, so that the API server reaches the kubelet from outside
// (KEP-1281, "HTTPConnect" over UDS).
import { createServer } from "node:http";
import { connect } from "node:net";

const [path] = process.argv.slice(2);

const server = createServer((_, response) => response.writeHead(405).end());
server.on("connect", ({ url }, near, head) => {
  const { hostname, port } = new URL(`http://${url}`);
  const far = connect(Number(port), hostname, () => {
    near.write("HTTP/1.1 200 OK\r\n\r\n");
    if (head.length > 0) far.write(head);
    near.pipe(far);
    far.pipe(near);
  });
  for (const [one, other] of [
    [near, far],
    [far, near],
  ]) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
});
server.listen(path, () => console.log("tunnelling"));
