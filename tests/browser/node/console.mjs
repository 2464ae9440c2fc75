// What all browser tests of the console share: the seeded world, a receiver of webhooks, pages that
// are watched, and checks that are printed for the test.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { launch } from "../../contract/realtime/chromium.mjs";

export const { BASE_URL, ACCOUNT_SID, AUTH_TOKEN } = process.env;
export const CONSOLE = `${BASE_URL}/parlour/console/`;
export const ACCOUNT = `${CONSOLE}${ACCOUNT_SID}/`;
export const WIDE = { width: 1280, height: 800 };
export const NARROW = { width: 390, height: 844 };
const TABS = 3;
const AUTHORIZATION = `Basic ${btoa(`${ACCOUNT_SID}:${AUTH_TOKEN}`)}`;

// --- The API, as the judge ----------------------------------------------------------------------

export async function api(method, path, form, headers = {}) {
  const body = typeof form === "string" || form instanceof Uint8Array ? form : form && new URLSearchParams(form);
  const answer = await fetch(BASE_URL + path, {
    method,
    body,
    headers: { Authorization: AUTHORIZATION, ...headers },
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

export const rest = {
  get: (path) => api("GET", path),
  post: (path, form, headers) => api("POST", path, form ?? {}, headers),
  remove: (path) => api("DELETE", path),
};

// Listen on a free port of this machine; neither the server nor its idle connections keep the
// program running.
export async function listen(server) {
  server.on("connection", (socket) => socket.unref());
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  server.unref();
  return `http://127.0.0.1:${server.address().port}`;
}

// A receiver that answers 500 to each third request, or as the status of a body says.
export async function receiver(statusOf = (_body, count) => (count % 3 ? 200 : 500), answerOf = () => "{}") {
  const received = [];
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts).toString();
      received.push({ url: request.url, body });
      response.writeHead(statusOf(body, received.length), { "content-type": "text/html" }).end(answerOf(received.length));
    });
  });
  return { url: `${await listen(server)}/hook`, received };
}

// The world as its document has it.
export async function load(...receiving) {
  const hooks = await receiver(...receiving);
  const world = readFileSync(new URL("../world.yaml", import.meta.url), "utf8");
  const made = await api("POST", "/parlour/v1/Seeds", world.replace("{{receiver}}", hooks.url), {
    "Content-Type": "application/yaml",
  });
  return { sids: made.sids, hooks };
}

// The world, with messages that were delivered and whose webhooks were sent.
export async function seed(...receiving) {
  const made = await load(...receiving);
  const order = `/v1/Conversations/${made.sids["conversations.order"]}`;
  const fired = { "X-Twilio-Webhook-Enabled": "true" };
  for (const Body of ["It is on the van.", "Ten minutes."]) await rest.post(`${order}/Messages`, { Author: "support", Body }, fired);
  await rest.post("/parlour/v1/VirtualPhones/%2B15550100/Messages", { To: "+15550999", Body: "Great, I am at home." });
  await eventually(async () => (await rest.get("/parlour/v1/WebhookAttempts")).webhook_attempts.length >= 3, "attempts");
  return made;
}

// --- Pages ----------------------------------------------------------------------------------------

// Runs in the page before its scripts: keeps what its policy refused.
function keepViolations() {
  globalThis.violations = [];
  addEventListener("securitypolicyviolation", (event) =>
    globalThis.violations.push(`${event.effectiveDirective} ${event.blockedURI}`),
  );
}

const EXPECTED_STATUS = /status of (401|404|409|429)/;

export async function openPage(browser, { viewport = WIDE, theme = "light", ...more } = {}) {
  const context = await browser.newContext({ viewport, colorScheme: theme, reducedMotion: "reduce", ...more });
  await context.addInitScript(keepViolations);
  const page = await context.newPage();
  countRequests(page);
  const seen = { errors: [], foreign: [], dialogs: [] };
  page.on("pageerror", (error) => seen.errors.push(error.stack ?? String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !EXPECTED_STATUS.test(message.text())) seen.errors.push(`${message.text()} ${message.location().url}`);
  });
  page.on("dialog", (dialog) => {
    seen.dialogs.push(dialog.message());
    void dialog.dismiss();
  });
  await context.route("**/*", (route) => {
    const url = new URL(route.request().url());
    const isOwn = url.origin === new URL(BASE_URL).origin || ["blob:", "data:"].includes(url.protocol);
    if (isOwn) return route.continue();
    seen.foreign.push(url.href);
    return route.abort();
  });
  return { page, context, seen };
}

// Requests of a page that will be answered soon: no streams, and no long polls.
const loading = new WeakMap();

function countRequests(page) {
  const open = new Set();
  loading.set(page, open);
  const isLong = (request) => /[?&]Wait=/.test(request.url()) || /event-stream/.test(request.headers().accept ?? "");
  page.on("request", (request) => isLong(request) || open.add(request));
  for (const end of ["requestfinished", "requestfailed"]) page.on(end, (request) => open.delete(request));
}

// No request is open, and none was for some time.
export async function quiet(page, milliseconds) {
  let since = Date.now();
  await eventually(() => {
    if (loading.get(page).size) since = Date.now();
    return Date.now() - since > milliseconds;
  }, "the end of all requests", 10_000, 15);
}

// Nothing loads, and nothing is drawn any more.
export async function settled(page) {
  await quiet(page, 90);
  await page.waitForFunction(() => {
    const main = document.querySelector("main");
    return main && !main.ariaBusy && main.querySelector("h1") && !document.querySelector(".skeleton");
  });
  await page.evaluate(() => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next))));
}

export async function visit(page, address) {
  await page.goto(address.startsWith("http") ? address : ACCOUNT + address);
  await settled(page);
}

// Go to another page as a link of the console does, without loading the console again.
export async function move(page, address) {
  const { pathname, search } = new URL(address, ACCOUNT);
  await page.evaluate((to) => {
    history.pushState(null, "", to);
    dispatchEvent(new PopStateEvent("popstate"));
  }, pathname + search);
  await settled(page);
}

// Run for each item, in some tabs at once: a tab waits for most of its time. Returns what was seen.
export async function inTabs(items, open, run) {
  const waiting = [...items];
  const tabs = await Promise.all(Array.from({ length: TABS }, open));
  await Promise.all(tabs.map(async (tab) => {
    for (let item = waiting.shift(); item; item = waiting.shift()) await run(tab, item);
  }));
  const found = [];
  for (const { page, seen } of tabs) found.push(...seen.errors, ...seen.foreign, ...seen.dialogs, ...(await violations(page)));
  await Promise.all(tabs.map(({ context }) => context.close()));
  return found;
}

export async function violations(page) {
  return page.evaluate(() => globalThis.violations);
}

// --- Checks ---------------------------------------------------------------------------------------

export function check(topic, name, ok, error = "") {
  console.log(JSON.stringify({ kind: "check", topic, scene: topic, check: name, ok: Boolean(ok), error: ok ? "" : String(error) }));
}

export async function scene(topic, name, run) {
  try {
    await run();
    check(topic, name, true);
  } catch (error) {
    check(topic, name, false, error.stack ?? error);
  }
}

export async function eventually(read, what, milliseconds = 10_000, pause = 50) {
  const end = Date.now() + milliseconds;
  for (;;) {
    const found = await read();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await new Promise((next) => setTimeout(next, pause));
  }
}

export function equal(found, expected, what = "") {
  const [one, other] = [JSON.stringify(found), JSON.stringify(expected)];
  if (one !== other) throw new Error(`${what}: ${one}, not ${other}`);
}

export async function withBrowser(run, ...flags) {
  const browser = await launch(...flags);
  try {
    await run(browser);
  } finally {
    await browser.close();
  }
}
