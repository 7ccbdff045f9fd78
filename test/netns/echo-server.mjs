// A real service for the tests: greets each TCP connection, sends back what it is told, and answers datagrams.
// Arguments: ports such as 22/tcp or 53/udp. "chatty" makes it send a line every 50 ms to all it has heard of.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const chatty = process.argv.includes("chatty");
const ports = process.argv.slice(2).filter((argument) => argument.includes("/"));

function serveTcp(port) {
  const server = createServer((socket) => {
    console.log(`accepted ${socket.remoteAddress} ${socket.remotePort} on ${port}/tcp`);
    socket.on("error", (error) => console.log(`lost ${socket.remotePort} on ${port}/tcp: ${error.code}`));
    socket.on("close", () => console.log(`closed ${socket.remotePort} on ${port}/tcp`));
    socket.on("data", (data) => socket.write(data));
    socket.write(`welcome to ${port}/tcp\n`);
    if (!chatty) return;
    const timer = setInterval(() => socket.write("tick\n"), 50);
    socket.on("close", () => clearInterval(timer));
  });
  return new Promise((resolve) => server.listen({ port, host: "::" }, resolve));
}

function serveUdp(port) {
  const socket = createSocket({ type: "udp6", ipv6Only: false });
  socket.on("message", (message, from) => {
    console.log(`heard ${from.address} ${from.port} on ${port}/udp: ${message}`);
    socket.send(`echo ${message}`, from.port, from.address);
    if (chatty) setInterval(() => socket.send("tick", from.port, from.address), 50);
  });
  return new Promise((resolve) => socket.bind(port, resolve));
}

for (const text of ports) {
  const [port, protocol] = text.split("/");
  await (protocol === "udp" ? serveUdp(Number(port)) : serveTcp(Number(port)));
}
console.log("serving");
