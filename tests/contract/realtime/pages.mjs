// Pages in headless Chromium that use a server in test mode: a local one, one of another site, and
// one behind a name that was rebound to this machine. Prints what each of them gets.

import { createServer } from "node:http";
import { launch } from "./chromium.mjs";

const { BASE_URL, LOGIN } = process.env;
const PORT = new URL(BASE_URL).port;

async function serve() {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<!doctype html><title>A page</title>");
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return server;
}

// Runs in the page: the result of a request with the known credentials, and of a socket.
async function attempt([api, login]) {
  const status = async (options) => {
    try {
      return (await fetch(`${api}/v1/Services`, options)).status;
    } catch {
      return "blocked";
    }
  };
  const opened = new Promise((resolve) => {
    const socket = new WebSocket(`${api.replace("http", "ws")}/v3/wsconnect`);
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
  const headers = { Authorization: `Basic ${btoa(login)}` };
  const plain = await status({});
  const read = await status({ headers });
  const written = await status({ headers, method: "POST", body: new URLSearchParams({ FriendlyName: "x" }) });
  return { plain, read, written, socket: await opened };
}

async function visit(browser, url, api) {
  const page = await browser.newPage();
  const refusals = [];
  page.on("websocket", (socket) => socket.on("socketerror", (error) => refusals.push(error)));
  const response = await page.goto(url);
  const found = await page.evaluate(attempt, [api, LOGIN]);
  await page.close();
  return { ...found, page: response.status(), refusals };
}

const site = await serve();
const other = site.address().port;
const browser = await launch("--host-resolver-rules=MAP *.example.net 127.0.0.1");
const visits = {
  local: [`http://localhost:${other}/`, BASE_URL],
  foreign: [`http://evil.example.net:${other}/`, BASE_URL],
  rebound: [`http://rebound.example.net:${PORT}/healthz`, `http://rebound.example.net:${PORT}`],
};
for (const [name, [url, api]] of Object.entries(visits)) {
  console.log(JSON.stringify({ kind: "visit", name, ...(await visit(browser, url, api)) }));
}
await browser.close();
site.close();
