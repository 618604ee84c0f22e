// A relay on npm's ws, for measuring: pairs pass text to each other, what is
// said into a topic goes to all who hear it.  Tokens are checked (HS256, exp)
// at the handshake; nothing is stored, one process, as ws is commonly used.
//
//   node server.js ADDRESS PORT KEY

"use strict";

const crypto = require("crypto");
const http = require("http");
const { WebSocketServer } = require("ws");

const [address, port, key] = process.argv.slice(2);
const rooms = new Map(); // path of a pair or topic -> Set of sockets

function isGood(token) {
  const [head, claims, signature] = token.split(".");
  const mine = crypto.createHmac("sha256", key).update(`${head}.${claims}`).digest();
  const theirs = Buffer.from(signature || "", "base64url");

  return (
    theirs.length === mine.length &&
    crypto.timingSafeEqual(theirs, mine) &&
    JSON.parse(Buffer.from(claims, "base64url")).exp > Date.now() / 1000
  );
}

function room(name) {
  let sockets = rooms.get(name);

  if (!sockets) {
    rooms.set(name, (sockets = new Set()));
  }
  return sockets;
}

function join(socket, name) {
  const sockets = room(name);

  sockets.add(socket);
  socket.on("close", () => {
    sockets.delete(socket);
    if (sockets.size === 0) {
      rooms.delete(name);
    }
  });
}

function relay(socket, name) {
  socket.on("message", (data, isBinary) => {
    for (const other of rooms.get(name) || []) {
      if (other !== socket) {
        other.send(data, { binary: isBinary });
      }
    }
  });
}

const server = http.createServer((request, response) => {
  response.end("ok\n");
});
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

server.on("upgrade", (request, stream, head) => {
  const [, kind, name] = request.url.split("/");
  const token = (request.headers.authorization || "").replace(/^Bearer /, "");

  if (!isGood(token)) {
    stream.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
    return;
  }

  sockets.handleUpgrade(request, stream, head, (socket) => {
    socket.on("error", () => socket.terminate());
    if (kind !== "say") {
      join(socket, `${kind === "pair" ? "pair" : "topic"}/${name}`);
    }
    if (kind !== "topic") {
      relay(socket, `${kind === "pair" ? "pair" : "topic"}/${name}`);
    }
  });
});

server.listen(Number(port), address, 4096);
