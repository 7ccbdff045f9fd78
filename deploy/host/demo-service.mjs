// The service behind the door of the demo: a web server with one page. Prints a line when it serves.
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

/** Starts the service; resolves to the server, rejects when the port is taken. */
export function serveDemo(port) {
  const server = createServer((request, response) => {
    response.setHeader("connection", "close");
    response.end(
      `You are in, ${request.socket.remoteAddress?.replace("::ffff:", "")}. This page was behind the door.\n`,
    );
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: "::" }, () => resolve(server));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await serveDemo(Number(process.argv[2]));
  console.log("serving");
}
