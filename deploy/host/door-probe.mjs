// What a port looks like from here: prints "silent", "refused", or "open" and the first line of the page behind it.
import { connect } from "node:net";

const [address, port, waitMs = "1000"] = process.argv.slice(2);
const socket = connect({ host: address, port: Number(port) });
let page = "";

function settle(text) {
  console.log(text);
  process.exit(0);
}

setTimeout(() => settle(page === "" ? "silent" : `open ${page}`), Number(waitMs));
socket.setEncoding("utf8").on("data", (text) => {
  page += text;
});
socket.on("connect", () => socket.write(`GET / HTTP/1.0\r\nhost: ${address}\r\n\r\n`));
socket.on("close", () => settle(`open ${page.split("\r\n\r\n")[1]?.trim() ?? ""}`));
socket.on("error", (error) => settle(error.code === "ECONNREFUSED" ? "refused" : error.code));
