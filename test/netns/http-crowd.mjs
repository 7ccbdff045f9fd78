// Runs inside a namespace for the tests: opens many connections to an HTTP server and keeps each request unfinished, a
// header byte a second. Prints how many were ever open, and how many still are when it is asked (a line on standard input).
import { connect } from "node:net";
import { createInterface } from "node:readline";

const [host, port, count] = process.argv.slice(2);
const open = new Set();
let opened = 0;
let settled = 0;

function join() {
  const socket = connect({ host, port: Number(port) });
  const settle = () => {
    if (++settled === Number(count)) console.log(`joined ${opened}`);
  };
  socket.once("connect", () => {
    opened++;
    open.add(socket);
    socket.write("GET /livez HTTP/1.1\r\nhost: x\r\nslow: ");
    socket.once("close", () => open.delete(socket));
    settle();
  });
  socket.once("error", () => {
    if (!open.has(socket)) settle();
  });
}

for (let started = 0; started < Number(count); started++) {
  join();
  if (started % 100 === 99) await new Promise((resolve) => setTimeout(resolve, 10));
}
setInterval(() => {
  for (const socket of open) socket.write("x");
}, 1000);
for await (const _ of createInterface({ input: process.stdin })) console.log(`open ${open.size}`);
