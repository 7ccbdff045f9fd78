// Listens on HOST PORT inside a network namespace and hands every connection on to a unix socket, behind which the API server is.
import { connect, createServer } from "node:net";

const [host, port, path] = process.argv.slice(2);

const server = createServer((near) => {
  const far = connect(path);
  for (const [from, to] of [
    [near, far],
    [far, near],
  ]) {
    from.pipe(to);
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
  }
});
server.listen({ host, port: Number(port) }, () => console.log("relaying"));
