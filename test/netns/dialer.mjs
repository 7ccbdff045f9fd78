// Runs inside a namespace for the tests: takes one JSON question a line and answers each with one line.
// Sockets of "hold" stay open between questions. Plain JavaScript: it is started by node itself.
import { createSocket } from "node:dgram";
import { request } from "node:http";
import { connect } from "node:net";
import { createInterface } from "node:readline";

const held = new Map();

/**
 * When the time is up and what came in meanwhile was heard: a busy machine may notice both in one moment, and timers come
 * first in a turn of the event loop. Returns what calls it off.
 */
function whenTimeIsUp(ms, act) {
  let last;
  const timer = setTimeout(() => {
    last = setImmediate(act);
  }, ms);
  return () => {
    clearTimeout(timer);
    clearImmediate(last);
  };
}

/** What became of a TCP connection attempt: open, refused, silent or the code of another error. */
function dial({ address, port, timeoutMs, sourcePort, sourceAddress }) {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, localPort: sourcePort, localAddress: sourceAddress });
    const settle = (outcome) => {
      callOff();
      resolve({ outcome, socket });
    };
    const callOff = whenTimeIsUp(timeoutMs, () => settle("silent"));
    socket.once("connect", () => settle("open"));
    socket.on("error", (error) => settle(error.code === "ECONNREFUSED" ? "refused" : error.code));
  });
}

async function tcp(question) {
  const { outcome, socket } = await dial(question);
  socket.destroy();
  return outcome;
}

async function hold({ id, ...question }) {
  const { outcome, socket } = await dial(question);
  if (outcome !== "open") {
    socket.destroy();
    return outcome;
  }
  const connection = { socket, received: "", ended: undefined, wake: () => {} };
  socket.setNoDelay(true).setEncoding("utf8");
  socket.on("data", (text) => {
    connection.received += text;
    connection.wake();
  });
  socket.on("error", (error) => {
    connection.ended = error.code;
  });
  socket.on("close", () => {
    connection.ended ??= "closed";
    connection.wake();
  });
  held.set(id, connection);
  return outcome;
}

/** Sends a text, or nothing when it is empty, and answers with what comes back: the text, "silent", or "ended" when the connection is gone. */
function exchange({ id, text, timeoutMs }) {
  const connection = held.get(id);
  if (text !== "") connection.received = "";
  return new Promise((resolve) => {
    const settle = (answer) => {
      callOff();
      connection.wake = () => {};
      resolve(answer);
    };
    const callOff = whenTimeIsUp(timeoutMs, () => settle("silent"));
    connection.wake = () => {
      if (connection.received !== "") {
        settle(connection.received);
        connection.received = "";
      } else if (connection.ended !== undefined) settle("ended");
    };
    connection.wake();
    if (connection.ended === undefined && text !== "") connection.socket.write(text);
  });
}

async function release({ id }) {
  held.get(id)?.socket.destroy();
  held.delete(id);
  return "released";
}

/** Sends a datagram and waits: the answer's text, "unreachable" or "silent". Without a wait: "sent". */
function udp({ address, port, text, timeoutMs, sourcePort, sourceAddress, broadcast }) {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    const settle = (answer) => {
      callOff();
      socket.close();
      resolve(answer);
    };
    const callOff = timeoutMs > 0 ? whenTimeIsUp(timeoutMs, () => settle("silent")) : () => {};
    socket.on("message", (message) => settle(String(message)));
    socket.on("error", (error) => settle(error.code === "ECONNREFUSED" ? "unreachable" : error.code));
    socket.bind(sourcePort ?? 0, sourceAddress, () => {
      if (broadcast) socket.setBroadcast(true);
      const sent = () => socket.send(text, (error) => !error && timeoutMs <= 0 && settle("sent"));
      if (broadcast) socket.send(text, port, address, (error) => !error && timeoutMs <= 0 && settle("sent"));
      else socket.connect(port, address, (error) => (error ? settle(error.code) : sent()));
    });
  });
}

/** One SYN, and the socket is closed before the kernel would send a second, as knockd's client does. */
function syn({ address, port, sourcePort, sourceAddress }) {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, localPort: sourcePort, localAddress: sourceAddress });
    socket.on("error", () => {});
    socket.once("close", () => resolve("sent"));
    setImmediate(() => socket.destroy());
  });
}

function http({ host, port, path, timeoutMs }) {
  return new Promise((resolve) => {
    const asking = request({ host, port, path, timeout: timeoutMs, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode, body }));
    });
    asking.on("timeout", () => asking.destroy(new Error("timeout")));
    asking.on("error", (error) => resolve({ status: 0, body: error.message }));
    asking.end();
  });
}

const acts = { tcp, hold, exchange, release, udp, syn, http };

for await (const line of createInterface({ input: process.stdin })) {
  const { number, act, ...question } = JSON.parse(line);
  acts[act](question).then((answer) => console.log(JSON.stringify({ number, answer })));
}
process.exit(0);
