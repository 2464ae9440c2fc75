// The addresses of all pages and their states, for the checks that look at every one; and one object
// of each kind, so that no list is empty.

import { ACCOUNT_SID, eventually, rest } from "./console.mjs";

const PIXEL = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");

// The start of a text, with the place at its end: what a page shows says where it came from.
export const named = (text, place, length) => `${[...text].slice(0, length - place.length - 3).join("")} #${place};`;

// Objects with this text in every name: of each kind a path, and a form.
function objects(text, service) {
  const name = (place, length = 64) => named(text, place, length);
  return {
    service: ["/v1/Services", { FriendlyName: name("service") }],
    role: [`/v1/Services/${service}/Roles`, { FriendlyName: name("role"), Type: "conversation", Permission: "sendMessage" }],
    key: [`/2010-04-01/Accounts/${ACCOUNT_SID}/Keys.json`, { FriendlyName: name("key") }],
    template: ["/parlour/v1/ContentTemplates", { FriendlyName: name("template"), Body: name("text", 200) }],
    credential: ["/v1/Credentials", { Type: "fcm", FriendlyName: name("credential"), Secret: "secret" }],
    fault: ["/parlour/v1/Faults", { Target: "request", Path: `/none/${name("fault")}`, Status: 503 }],
    account: ["/parlour/v1/Accounts", { FriendlyName: name("account") }],
  };
}

// The webhooks of a conversation, with the text in their URLs and triggers.
export async function scopedWebhooks(text, { order, url }) {
  const path = `/v1/Conversations/${order}/Webhooks`;
  const Url = `${url}/${encodeURI(named(text, "url", 200))}`;
  await rest.post(path, { Target: "webhook", "Configuration.Url": Url, "Configuration.Filters": "onMessageAdded" });
  await rest.post(path, { Target: "trigger", "Configuration.Url": Url, "Configuration.Triggers": named(text, "trigger", 200) });
}

// Create one of each; return the kinds that the API refused, with its reason.
export async function oneOfEach(text, { service }) {
  const refused = {};
  for (const [kind, [path, form]] of Object.entries(objects(text, service)))
    await rest.post(path, form).catch((error) => (refused[kind] = error.message));
  return refused;
}

// A message with an image of this name. Returns false if the API refuses the name.
export async function illustrated(fileName, { service, order }) {
  try {
    const query = new URLSearchParams({ Filename: fileName });
    const { sid: MediaSid } = await rest.post(`/v1/Services/${service}/Media?${query}`, PIXEL, { "Content-Type": "image/png" });
    await rest.post(`/v1/Conversations/${order}/Messages`, { Author: "alice", Body: "See the picture.", MediaSid });
    return true;
  } catch {
    return false;
  }
}

// An attempt whose answer was stored: the newest of them that this conversation caused.
async function answered(order) {
  const path = `/parlour/v1/WebhookAttempts?ConversationSid=${order}&PageSize=100`;
  return eventually(async () => {
    const { webhook_attempts: attempts } = await rest.get(path);
    return attempts.find(({ request, response }) => response?.body_start && request.url.includes("url")) ?? attempts.find(({ response }) => response?.body_start);
  }, "an answer of a receiver");
}

export async function addresses(sids) {
  const order = sids["conversations.order"];
  const { requests } = await rest.get("/parlour/v1/Requests?PageSize=50");
  const { events } = await rest.get("/parlour/v1/Events?PageSize=1");
  const { messages } = await rest.get(`/v1/Conversations/${order}/Messages?Order=desc&PageSize=1`);
  const attempt = `webhooks/${(await answered(order)).sid}`;
  const tabs = ["messages", "participants", "webhooks", "timers", "events", "json"];
  return {
    start: "start",
    conversations: "conversations",
    "nothing-found": "conversations?search=nobody",
    ...Object.fromEntries(tabs.map((tab) => [`conversation-${tab}`, `conversations/${order}?tab=${tab}`])),
    message: `conversations/${order}?message=${messages[0].sid}`,
    "conversation-closed": `conversations/${sids["conversations.old"]}`,
    users: "users",
    user: `users/${sids["users[0]"]}`,
    phones: "phones",
    clients: "clients",
    "sit-in": "clients?identity=alice",
    "sit-in-thread": `clients?identity=alice&conversation=${order}`,
    tokens: "clients?tab=tokens",
    webhooks: "webhooks",
    receivers: "webhooks?tab=receivers",
    attempt,
    signature: `${attempt}?view=signature`,
    requests: "requests",
    request: `requests/${(requests.find((each) => /#agent/.test(each.user_agent)) ?? requests[0]).sid}`,
    events: "events",
    event: `events/${events[0].cursor}`,
    ...Object.fromEntries(["clock", "faults", "data", "emulation", "triggers"].map((tab) => [`test-${tab}`, `test?tab=${tab}`])),
    settings: "settings",
    ...Object.fromEntries(["service", "services", "addresses", "roles", "keys", "templates", "credentials"].map((tab) => [`settings-${tab}`, `settings?tab=${tab}`])),
    health: "health",
    queues: "queues",
    accounts: "accounts",
    media: "media",
    audit: "audit",
    sessions: "sessions",
    server: "server",
    unknown: "nowhere",
  };
}
