// The addresses of all pages and their states, for the checks that look at every one.

import { rest } from "./console.mjs";

export async function addresses(sids) {
  const order = sids["conversations.order"];
  const { requests } = await rest.get("/parlour/v1/Requests?PageSize=1");
  const { webhook_attempts: attempts } = await rest.get("/parlour/v1/WebhookAttempts?PageSize=1");
  const { events } = await rest.get("/parlour/v1/Events?PageSize=1");
  const tabs = ["messages", "participants", "webhooks", "timers", "events", "json"];
  return {
    start: "start",
    conversations: "conversations",
    ...Object.fromEntries(tabs.map((tab) => [`conversation-${tab}`, `conversations/${order}?tab=${tab}`])),
    users: "users",
    user: `users/${sids["users[0]"]}`,
    phones: "phones",
    clients: "clients",
    "sit-in": "clients?identity=alice",
    tokens: "clients?tab=tokens",
    webhooks: "webhooks",
    ...(attempts[0] && { attempt: `webhooks/${attempts[0].sid}` }),
    requests: "requests",
    ...(requests[0] && { request: `requests/${requests[0].sid}` }),
    events: "events",
    ...(events[0] && { event: `events/${events[0].cursor}` }),
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
