// Each page by Tab alone: where it stops, in which order, and whether one sees where one is.

import { addresses } from "./addresses.mjs";
import { check, equal, openPage, scene, seed, violations, visit, withBrowser } from "./console.mjs";

const STOPS_MAX = 400;
const AREAS = ["skip", "bar", "rail", "main"];

// Runs in the page: the control with the focus; nothing outside of all controls.
function here() {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const box = at.getBoundingClientRect();
  const label = at.closest("label");
  const isMarked = [at, label].some((each) => each && !each.matches(".unseen") && getComputedStyle(each).outlineStyle !== "none") || /^date/.test(at.type);
  const shown = at.matches(".unseen") && label ? label.getBoundingClientRect() : box;
  const isOnScreen = shown.bottom > 0 && shown.top < innerHeight && shown.right > 0 && shown.left < innerWidth;
  const name = at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? (at.textContent.trim() || at.querySelector("[aria-label]")?.getAttribute("aria-label") || at.title);
  const all = (globalThis.places ??= new WeakMap());
  if (!all.has(at)) all.set(at, (globalThis.placeCount = (globalThis.placeCount ?? 0) + 1));
  return {
    id: all.get(at), name: name.trim().replace(/\s+/g, " "), row: at.dataset.row ?? "",
    area: at.matches(".skip") ? "skip" : at.closest(".bar") ? "bar" : at.closest(".rail") ? "rail" : "main",
    kind: at.tagName.toLowerCase(), isMarked, isOnScreen, isScroller: at.scrollHeight > at.clientHeight + 1 || at.scrollWidth > at.clientWidth + 1,
    // In the order of the document, as it is read.
    isAfterLast: !globalThis.lastStop?.isConnected || Boolean(globalThis.lastStop.compareDocumentPosition(at) & Node.DOCUMENT_POSITION_FOLLOWING), wasLast: ((globalThis.lastStop = at), true),
  };
}

// Runs in the page: the controls that nobody reaches by Tab or by the arrow keys of their list.
function lost() {
  const CONTROLS = "a[href], button, input, select, textarea, summary, [role=tab], [role=switch]";
  return [...document.querySelectorAll(CONTROLS)]
    .filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.matches(":disabled") && each.tabIndex < 0)
    .filter((each) => !each.matches("[role=tab], [data-row]"))
    // The word of a delivery opens what the button of its message opens.
    .filter((each) => !each.matches(".message .meta > .badge"))
    .map((each) => each.outerHTML.slice(0, 120));
}

// All stops of a page, from its start until the focus leaves it. A panel takes the focus: the walk
// begins where the page does.
async function walk(page) {
  const stops = [];
  let hasBegun = false;
  for (let count = 0; count < STOPS_MAX; count += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(here);
    hasBegun ||= at?.area === "skip";
    if (!at && hasBegun) return stops;
    // The parts of a date are one stop.
    if (hasBegun && stops.at(-1)?.id !== at.id) stops.push(at);
  }
  throw new Error(`more than ${STOPS_MAX} stops`);
}

// What has to be reached on a page, in this order.
const IN_ORDER = {
  conversations: ["New", "Identity or address", "State", "Dates", /Order 4711|Opening hours|Return of a lamp/],
  "conversation-messages": ["New", /./, "Edit", "Make inactive", "Close", "Delete", "Messages", /^Message \d+: details/, "Author", "Message", "File", /^Webhooks fire/],
  "conversation-participants": ["Participants", "Add a participant", "Edit alice", "Remove alice"],
  "conversation-webhooks": ["Webhooks", "Add a webhook"],
  "conversation-timers": ["Timers", "Advance the clock to this timer", "Set timers", "Make inactive now", "Close now"],
  users: ["User", /alice/],
  user: ["Close", "Sit in", "Edit", "Delete"],
  phones: ["Show a phone", "Phone", "Hide", "New message", "Behaviour", "Remove", "Channel", "Thread", "Message", "File", "Send"],
  clients: ["Connections", "Identity", "Sit in"],
  "sit-in": ["Leave", "Filter frames", "Pause", "Save"],
  tokens: ["Tokens", "Access token", "Check", "Make a token"],
  webhooks: ["Replay all that match …", "Attempts", "Outcome", "Event", "Conversation SID", "From", "To", /onMessageAdded/],
  attempt: [/^(Replay|Retry now)/, "Close", "Send with changes …", "Copy as curl", "Parameters", "Raw body", "Headers", "Signature help"],
  requests: ["Source", "Operation", "Status", "Error code", "Identity", "Conversation SID", "From", "To"],
  request: ["Close"],
  events: ["Type of event", "Conversation SID", "Identity", "Request SID", "From", /on\w+ed/],
  event: ["Close", "Open the object"],
  "test-clock": ["Clock", "Real time", "Freeze", "Let it run from here", "1 min", "10 min", "1 h", "1 d", "Duration or date", "Advance"],
  "test-faults": ["Faults", "429 twice", "Lost answer", "Requests …", "Carriers …"],
  "test-data": ["Export this account", "File of seeds", "Seeds", "Take a snapshot", "Reset"],
  "test-emulation": ["Emulation", "Edit"],
  "test-triggers": ["Triggers", "onMessageAdded", "onUserUpdated"],
  settings: ["Account", "Edit", "Edit", "Edit"],
  "settings-service": ["Service", "Edit", "Edit", "Edit"],
  "settings-roles": ["Roles", "New role", "Edit", "Delete"],
  "settings-keys": ["API keys", "New key"],
  accounts: ["New account", "Suspend", "Close", "New key"],
  audit: ["Who", "Operation", "Account SID"],
  sessions: ["End"],
  start: ["Make a key", "Copy"],
};

function missing(stops, wanted) {
  let at = 0;
  for (const { name } of stops) {
    const next = wanted[at];
    if (next && (next instanceof RegExp ? next.test(name) : name === next)) at += 1;
  }
  return wanted.slice(at);
}

async function look(page, name, address, wanted) {
  await scene("stops", `${name}: by Tab alone`, async () => {
    await visit(page, address);
    equal(await page.evaluate(lost), [], "not reached by any key");
    const stops = await walk(page);
    equal(stops.filter((each) => !each.name && !each.isScroller).map((each) => each.kind), [], "without a name");
    equal(stops.filter((each) => !each.isMarked).map((each) => each.name), [], "the focus is not seen");
    equal(stops.filter((each) => !each.isOnScreen).map((each) => each.name), [], "off the screen");
    equal(stops.slice(1).filter((each) => !each.isAfterLast).map((each) => each.name), [], "against the order of the page");
    const areas = stops.map((each) => AREAS.indexOf(each.area));
    equal(areas, areas.toSorted((one, other) => one - other), "areas in turn");
    equal(stops[0].name, "Skip to the page");
    const left = missing(stops.filter((each) => each.area === "main"), wanted);
    equal(left.map(String), [], `missed of ${stops.map((each) => each.name).join(", ")}`);
  });
}

const { sids } = await seed();
await withBrowser(async (browser) => {
  const { page, seen } = await openPage(browser);
  const every = await addresses(sids);
  for (const [name, address] of Object.entries(every)) await look(page, name, address, IN_ORDER[name] ?? []);
  equal(Object.keys(IN_ORDER).filter((name) => !every[name]), [], "pages that are not there");
  const wrong = [...seen.errors, ...seen.foreign, ...seen.dialogs, ...(await violations(page))];
  check("stops", "no errors, no requests to others", wrong.length === 0, wrong.join("\n"));
});
