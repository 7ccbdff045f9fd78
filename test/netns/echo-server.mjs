// A real service for the tests: greets each TCP connection, sends back what it is told, and answers datagrams.
// Arguments: ports such as 22/tcp or 53/udp, or 53/udp4 for what is sent to all hosts (224.0.0.1) as well. "chatty" makes it send a line every 50 ms to all it has heard of.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";

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

function serveUdp(port, type) {
  const socket = createSocket({ type, ipv6Only: false });
  socket.on("message", (message, from) => {
    console.log(`heard ${from.address} ${from.port} on ${port}/udp: ${message}`);
    socket.send(`echo ${message}`, from.port, from.address);
    if (chatty) setInterval(() => socket.send("tick", from.port, from.address), 50);
  });
  return new Promise((resolve) =>
    socket.bind(port, () => {
      if (type === "udp4") for (const address of ownAddresses()) socket.addMembership("224.0.0.1", address);
      resolve();
    }),
  );
}

function ownAddresses() {
  const all = Object.values(networkInterfaces()).flat();
  return all.filter(({ family, internal }) => family === "IPv4" && !internal).map(({ address }) => address);
}

for (const text of ports) {
  const [port, protocol] = text.split("/");
  await (protocol === "tcp" ? serveTcp(Number(port)) : serveUdp(Number(port), protocol === "udp4" ? "udp4" : "udp6"));
}
console.log("serving");
