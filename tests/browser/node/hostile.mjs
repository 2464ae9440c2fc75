// A world whose every text is hostile: the pages and their dialogs show it, and nothing else happens.

import { addresses, illustrated, named, oneOfEach, scopedWebhooks } from "./addresses.mjs";
import { CORPUS, LONG } from "./corpus.mjs";
import { api, BASE_URL, check, CONSOLE, eventually, inTabs, move, NARROW, openPage, rest, scene, seed, violations, visit, WIDE, withBrowser } from "./console.mjs";
import { eachDialog, refuseChanges } from "./dialogs.mjs";

const { OPERATOR_SID, OPERATOR_SECRET } = process.env;
const FIRED = { "X-Twilio-Webhook-Enabled": "true" };
const taken = {};

// The API refuses some texts, such as those with control characters.
async function tries(place, run) {
  taken[place] ??= { stored: 0, refused: "" };
  try {
    await run();
    taken[place].stored += 1;
  } catch (error) {
    taken[place].refused = error.message;
  }
}

// --- The world ------------------------------------------------------------------------------------

const attributesOf = (text) => JSON.stringify({ [text]: named(text, "attributes", 300) });

// In every message of the conversation that all tabs show, and in what is received on the phone.
async function messages(path, text) {
  const Attributes = attributesOf(text);
  await tries("body", () => rest.post(`${path}/Messages`, { Author: named(text, "author", 256), Body: `${text} #body;`, Attributes, Subject: named(text, "subject", 256) }, FIRED));
  await tries("message of a phone", () => rest.post("/parlour/v1/VirtualPhones/%2B15550100/Messages", { To: "+15550999", Body: `${text} #handset;` }));
}

async function people(path, text, number) {
  const Attributes = attributesOf(text);
  await tries("conversation", () => rest.post("/v1/Conversations", { FriendlyName: named(text, "conversation", 256), UniqueName: named(text, "unique", 200), Attributes }, FIRED));
  await tries("identity", () => rest.post(`${path}/Participants`, { Identity: named(text, "identity", 256), Attributes }, FIRED));
  await tries("user", () => rest.post("/v1/Users", { Identity: named(text, "user", 250), FriendlyName: named(text, "friendly", 256), Attributes }));
  await tries("phone", () => rest.post("/parlour/v1/VirtualPhones", { Address: `+155502${1000 + number}`, Name: named(text, "phone", 64) }));
  await tries("agent", () => api("GET", `/v1/Conversations/${encodeURIComponent(named(text, "path", 200))}`, undefined, { "User-Agent": `${encodeURI(text)} #agent;` }).catch((error) => {
    if (!/ 404 /.test(error.message)) throw error;
  }));
}

async function hostileWorld(sids, places) {
  const path = `/v1/Conversations/${places.order}`;
  for (const [number, text] of CORPUS.entries()) {
    await messages(path, text);
    await tries("file", async () => {
      if (!(await illustrated(named(text.replaceAll("/", "∕"), "file", 255), places))) throw new Error("refused");
    });
    if (number < 2) await scopedWebhooks(text, places);
    if (number % 5 === 0) await people(path, text, number);
    if (number % 9 === 0) {
      const refused = await oneOfEach(text, places);
      await tries("one of each", () => Object.keys(refused).length && Promise.reject(new Error(JSON.stringify(refused))));
    }
  }
  // The largest ones, at the end: the list and the thread begin with them.
  await rest.post(`${path}/Messages`, { Author: named(LONG, "author", 256), Body: LONG, Attributes: JSON.stringify({ long: LONG.slice(0, 1000) }) }, FIRED);
  await rest.post("/v1/Users/alice", { FriendlyName: CORPUS[0], Attributes: JSON.stringify({ long: "x".repeat(16_000) }) });
  await rest.post(path, { FriendlyName: CORPUS[0], UniqueName: named(CORPUS[1], "unique", 200), Attributes: JSON.stringify({ long: LONG.slice(0, 4000) }) });
  await rest.post("/v1/Configuration/Webhooks", { PreWebhookUrl: `${places.url}/${encodeURI(CORPUS[2])}` });
}

// --- The looks ------------------------------------------------------------------------------------

// Runs in the page: what is wrong with its layout, and elements that came from texts.
function disorder() {
  const found = [];
  const over = document.documentElement.scrollWidth - innerWidth;
  if (over > 0) found.push(`${over} px too wide`);
  const dialog = document.querySelector("dialog[open]")?.getBoundingClientRect();
  if (dialog && (dialog.left < 0 || dialog.right > innerWidth || dialog.bottom > innerHeight)) found.push("the dialog is larger than the screen");
  const close = document.querySelector("dialog[open] .actions button");
  close?.scrollIntoView();
  if (close && close.getBoundingClientRect().right > innerWidth) found.push("the buttons of the dialog are out of sight");
  const alien = document.querySelectorAll("#app :is(script, iframe, object, embed, style, link, base, meta, form[action], [onerror], [onload], [onmouseover], [ontoggle], [style], a[href^='javascript'])");
  for (const each of alien) found.push(`an element that came from a text: ${each.outerHTML.slice(0, 100)}`);
  return found;
}

// Runs in the page: the places whose texts are on it.
function placesShown() {
  const fields = [...document.querySelectorAll("input, textarea")].map((each) => each.value);
  return [document.body.textContent, ...fields].join(" ").match(/#[a-z]+(?=;)/g) ?? [];
}

const shown = new Set();

async function look(page, name) {
  for (const viewport of [NARROW, WIDE]) {
    await page.setViewportSize(viewport);
    const found = await page.evaluate(disorder);
    if (found.length) throw new Error(`${name} at ${viewport.width} px: ${found.slice(0, 3).join("; ")}`);
  }
  for (const each of await page.evaluate(placesShown)) shown.add(each.slice(1));
}

const PLACES = "account agent answer attributes author body conversation credential fault file friendly handset identity key operator phone role service template trigger unique url user".split(" ");

// What a text would do if it were taken as HTML is seen: by the look, and by the policy.
async function showsPlantedElements(browser) {
  const { page, context } = await openPage(browser);
  await visit(page, "users");
  await page.evaluate(() => {
    const planted = document.createElement("iframe");
    planted.src = "https://evil.test/";
    document.querySelector("main").append(planted);
  });
  const found = await page.evaluate(disorder);
  check("hostile", "a planted element is reported", found.length === 1, found.join("; "));
  await eventually(async () => (await violations(page)).length, "a report of the policy");
  await context.close();
}

const { sids, hooks } = await seed(undefined, (count) => `${CORPUS[count % CORPUS.length]} #answer;`);
const { default_chat_service_sid: service } = await rest.get("/v1/Configuration");
await hostileWorld(sids, { service, order: sids["conversations.order"], url: hooks.url });
check("hostile", "the corpus is large", CORPUS.length >= 100, CORPUS.length);
check("hostile", "nearly all of the corpus is stored", taken.body.stored >= CORPUS.length - 4, JSON.stringify(taken));
for (const [place, { stored, refused }] of Object.entries(taken)) check("hostile", `${place}: stored`, stored > 9, `${stored}, ${refused}`);
const pages = await addresses(sids);
await withBrowser(async (browser) => {
  const dialogs = { tried: new Set(), known: new Set() };
  const open = async () => {
    const made = await openPage(browser);
    await made.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await refuseChanges(made.context);
    // The operator's name is hostile, too.
    const form = { Name: OPERATOR_SID, Secret: OPERATOR_SECRET };
    const answer = await made.context.request.post(`${CONSOLE}session`, { form, headers: { Origin: BASE_URL, "Parlour-Console": "1" } });
    if (answer.status() !== 201) throw new Error(`sign-in: ${answer.status()} ${await answer.text()}`);
    await visit(made.page, "start");
    return made;
  };
  const wrong = await inTabs(Object.entries(pages), open, async (tab, [name, address]) => {
    await scene("hostile", name, async () => {
      await move(tab.page, address);
      await look(tab.page, name);
      await eachDialog(tab, dialogs, (kind, state) => look(tab.page, `${kind}, ${state}`));
      if (!tab.page.url().startsWith(BASE_URL)) throw new Error(tab.page.url());
    });
  });
  check("hostile", "no dialog, report, error, or request to others", wrong.length === 0, wrong.slice(0, 5).join("\n"));
  await scene("hostile", "the policy reports a planted element", () => showsPlantedElements(browser));
  check("hostile", "many kinds of dialogs", dialogs.known.size >= 45, [...dialogs.known].join("\n"));
});
for (const each of PLACES) check("hostile", `a text is shown: ${each}`, shown.has(each), [...shown].join(" "));
