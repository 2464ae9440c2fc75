// The tour of Test and Settings.

import { readFile } from "node:fs/promises";
import { api, equal, eventually, rest } from "./console.mjs";
import { holds, isGone } from "./hands.mjs";

const all = (path, key) => rest.get(`${path}${path.includes("?") ? "" : "?PageSize=100"}`).then((found) => found[key]);

async function clock({ page, step, go, press, refused }) {
  const now = async () => Date.parse((await rest.get("/parlour/v1/Clock")).now);
  await step("the clock is frozen, advanced, and runs again", async () => {
    await go("test");
    await press("Freeze");
    await holds("/parlour/v1/Clock", { mode: "frozen" });
    const begun = await now();
    await press("10 min");
    await eventually(async () => (await now()) === begun + 600e3, "10 minutes later");
    await page.getByRole("link", { name: /virtual .*, frozen/ }).waitFor();
    await page.getByLabel("Duration or date").fill("PT45M");
    await press("Advance");
    await eventually(async () => (await now()) === begun + 3300e3, "55 minutes later");
    for (const [name, hours] of [["1 h", 1], ["1 d", 24], ["1 min", 1 / 60]]) {
      const before = await now();
      await press(name);
      await eventually(async () => (await now()) === before + hours * 3600e3, name);
    }
    await page.getByRole("link", { name: /virtual/ }).click();
    const { sid } = await rest.post("/v1/Conversations", { "Timers.Inactive": "PT30M" });
    await page.getByRole("row", { name: /timers of conversations/ }).getByRole("button", { name: "Advance to this" }).click();
    await holds(`/v1/Conversations/${sid}`, { state: "inactive" });
    await press("Let it run from here");
    await holds("/parlour/v1/Clock", { mode: "shifted" });
    await press("Real time");
    await page.getByText("The clock cannot go back while there is data").waitFor();
    await refused();
  });
}

async function faults({ page, step, go, press, ask, row }) {
  const list = () => all("/parlour/v1/Faults", "faults");
  await step("a fault by a preset, and one by the form; both are removed", async () => {
    await go("test?tab=faults");
    await press("429 twice");
    await eventually(async () => (await list())[0]?.status === 429, "armed");
    for (const [kind, fields] of [["Requests", { DelayMs: "1" }], ["Carriers", { Error: "30003" }], ["Sockets", { Drop: "true" }]]) {
      await ask(`${kind} …`, { Name: kind, Times: "1", ...fields }, "Arm");
      await eventually(async () => (await list()).some((each) => each.name === kind), kind);
      await press("Remove", row("Faults", kind));
      await eventually(async () => !(await list()).some((each) => each.name === kind), `no ${kind}`);
    }
    await ask("Webhooks …", { Name: "late", DelayMs: "20", Times: "1" }, "Arm");
    await holds("/parlour/v1/Faults", { target: "webhook", delay_ms: 20 }, (found) => found.faults.find((each) => each.name === "late"));
    for (const name of ["Lost answer", "Slow: 2 s", "Drop my sockets"]) {
      const before = (await list()).length;
      await press(name);
      await eventually(async () => (await list()).length === before + 1, name);
    }
    await go("users");
    await page.getByRole("link", { name: "5 faults armed" }).click();
    await press("Remove", row("Faults", "late"));
    await eventually(async () => (await list()).length === 4, "the others are left");
    await press("Remove all");
    await eventually(async () => !(await list()).length, "none is left");
  });
}

async function data({ page, step, go, press, ask, row, refused }) {
  await step("seeds are checked, loaded and exported", async () => {
    await go("test?tab=data");
    await page.setInputFiles("input[type=file]", { name: "w.yaml", mimeType: "text/yaml", buffer: Buffer.from("parlour: 1\nconversations:\n  - {key: s, unique_name: sown, friendly_name: Sown}\n") });
    await page.waitForFunction(() => /sown/.test(document.querySelector("textarea").value));
    await press("Check");
    await page.getByText("Valid: 1 object.").waitFor();
    equal(await isGone("/v1/Conversations/sown"), true, "a check changes nothing");
    await press("Load");
    await page.getByText("Loaded 1 object.").waitFor();
    await holds("/v1/Conversations/sown", { friendly_name: "Sown" });
    const [saved] = await Promise.all([page.waitForEvent("download"), press("Export this account")]);
    const text = await readFile(await saved.path(), "utf8");
    equal(JSON.parse(text).conversations.some((each) => each.unique_name === "sown"), true, "the export");
    await page.getByLabel("Seeds", { exact: true }).fill('{"parlour": 1, "users": [{"identity": "pasted", "friendly_name": "By JSON"}]}');
    await press("Load");
    await holds("/v1/Users/pasted", { friendly_name: "By JSON" });
    await page.getByLabel("Seeds", { exact: true }).fill('{"parlour": 1, "users": [{"identitty": "x"}]}');
    await press("Load");
    await page.locator(".trouble").getByText(/identitty/).waitFor();
    await refused();
  });
  await step("a snapshot is taken, restored and deleted", async () => {
    await ask("Take a snapshot", { Name: "tour" }, "Take");
    await rest.remove("/v1/Conversations/sown");
    await press("Restore", row("Snapshots", "tour"));
    await press("Restore", page.locator("dialog[open]"));
    await holds("/v1/Conversations/sown", { friendly_name: "Sown" });
    await press("Delete", row("Snapshots", "tour"));
    await eventually(async () => !(await all("/parlour/v1/Snapshots", "snapshots")).length, "deleted");
  });
}

async function habits({ page, step, go, press, ask, answer }) {
  await step("emulation is changed", async () => {
    await go("test?tab=emulation");
    await ask("Edit", { UnknownParameters: "refuse" }, "Save");
    await holds("/parlour/v1/Emulation", { unknown_parameters: "refuse" });
    await ask("Edit", { UnknownParameters: "ignore" }, "Save");
    await holds("/parlour/v1/Emulation", { unknown_parameters: "ignore" });
  });
  await step("each event has a trigger", async () => {
    await go("test?tab=triggers");
    await page.getByRole("button", { name: "onUserUpdated", exact: true }).waitFor();
    equal(await page.locator("#tab-panel .triggers button").count(), 13, "triggers");
    await press("onParticipantAdded");
    await answer({ Identity: "triggered" }, "Trigger");
    await page.getByRole("status").getByText(/onParticipantAdded by/).waitFor();
    const { conversations } = await rest.get("/v1/ParticipantConversations?Identity=triggered");
    equal(conversations.length, 1, "the participant");
    for (const name of await page.locator("#tab-panel .triggers button").allTextContents()) {
      const newest = async () => (await rest.get(`/parlour/v1/Events?EventType=${name}&Order=desc&PageSize=1`)).events[0]?.cursor;
      const before = await newest();
      await press(name);
      await answer({}, "Trigger");
      await page.getByRole("status").getByText(new RegExp(`${name} by`)).waitFor();
      await eventually(async () => (await newest()) !== before, name);
    }
  });
}

export async function test(hand) {
  await clock(hand);
  await faults(hand);
  await data(hand);
  await habits(hand);
}

// The last part: it wipes the account.
export async function reset({ page, step, go, ask, press }) {
  await step("the account is reset, and Start helps a newcomer", async () => {
    await go("test?tab=data");
    await ask("Reset", {}, "Reset");
    await eventually(async () => !(await all("/v1/Conversations", "conversations")).length, "wiped");
    await go("test");
    await press("Real time");
    await holds("/parlour/v1/Clock", { mode: "system" });
    await go("start");
    await page.getByText("Waiting for the first request").or(page.getByText("It works.")).first().waitFor();
    await rest.get("/v1/Conversations");
    await page.getByText("It works.").waitFor();
  });
}

async function single({ page, step, go, ask }, service) {
  const card = (title) => page.locator("section.card").filter({ has: page.getByRole("heading", { name: title, exact: true }) });
  await step("settings of the account are edited", async () => {
    await go("settings");
    await ask("Edit", { DefaultInactiveTimer: "PT15M" }, "Save", card("Defaults"));
    await holds("/v1/Configuration", { default_inactive_timer: "PT15M" });
    await rest.post("/v1/Configuration/Webhooks", { Filters: "onMessageAdded" });
    await go("settings");
    await ask("Edit", { Filters: ["onUserAdded"] }, "Save", card("Webhooks of the account"));
    await holds("/v1/Configuration/Webhooks", { filters: ["onMessageAdded", "onUserAdded"] });
    await ask("Edit", { Retries: "hosted" }, "Save", card("Retries of webhooks"));
    await holds("/parlour/v1/WebhookRetries", { retries: "hosted" });
  });
  await step("settings of the service are edited", async () => {
    await go("settings?tab=service");
    await ask("Edit", { ReachabilityEnabled: "true" }, "Save", card("Roles and reachability"));
    await holds(`/v1/Services/${service}/Configuration`, { reachability_enabled: true });
    await ask("Edit", { PreWebhookUrl: "http://127.0.0.1:9/before", Method: "get", Filters: ["onMessageAdd"] }, "Save", card("Webhooks of the service"));
    await holds(`/v1/Services/${service}/Configuration/Webhooks`, { pre_webhook_url: "http://127.0.0.1:9/before", method: "GET", filters: ["onMessageAdd"] });
    await rest.post(`/v1/Services/${service}/Configuration/Webhooks`, { PreWebhookUrl: "", Filters: "" });
    await ask("Edit", { LogEnabled: "true" }, "Save", card("Push notifications"));
    await holds(`/v1/Services/${service}/Configuration/Notifications`, { log_enabled: true });
  });
}

async function lists({ step, go, ask, row }, service) {
  await step("a role is created, edited and deleted", async () => {
    const path = `/v1/Services/${service}/Roles`;
    const found = async () => (await all(path, "roles")).find((each) => each.friendly_name === "reader");
    await go("settings?tab=roles");
    await ask("New role", { FriendlyName: "reader", Type: "conversation", Permission: ["sendMessage"] }, "Create");
    equal((await found()).permissions, ["sendMessage"]);
    await ask("Edit", { Permission: ["leaveConversation"] }, "Save", row("Roles", "reader"));
    equal((await found()).permissions.toSorted(), ["leaveConversation", "sendMessage"]);
    await ask("Delete", {}, "Delete", row("Roles", "reader"));
    equal(await found(), undefined);
  });
  await step("an address is created, edited and deleted", async () => {
    const path = "/v1/Configuration/Addresses";
    const found = async () => (await all(path, "address_configurations")).find((each) => each.address === "+15550888");
    await go("settings?tab=addresses");
    await ask("New address", { Type: "sms", Address: "+15550888", FriendlyName: "Shop", "AutoCreation.Enabled": "true", "AutoCreation.Type": "default" }, "Create");
    equal((await found()).friendly_name, "Shop");
    await ask("Edit", { FriendlyName: "Shop, new" }, "Save", row("Addresses", "Shop"));
    equal((await found()).friendly_name, "Shop, new");
    await ask("Delete", {}, "Delete", row("Addresses", "Shop"));
    equal(await found(), undefined);
  });
  await step("a service and a template are created and deleted", async () => {
    await go("settings?tab=services");
    await ask("New service", { FriendlyName: "Second shop" }, "Create");
    const made = (await all("/v1/Services", "services")).find((each) => each.friendly_name === "Second shop");
    await ask("Delete", {}, "Delete", row("Services", "Second shop"));
    await eventually(() => isGone(`/v1/Services/${made.sid}`), "deleted");
    await go("settings?tab=templates");
    await ask("New template", { FriendlyName: "Greeting", Body: "Hello {{1}}" }, "Create");
    const templates = () => all("/parlour/v1/ContentTemplates", "content_templates");
    equal((await templates())[0].friendly_name, "Greeting");
    const approval = JSON.stringify({ name: "greeting", category: "UTILITY" });
    await api("POST", `/v1/Content/${(await templates())[0].sid}/ApprovalRequests/whatsapp`, approval, { "Content-Type": "application/json" });
    await ask("Edit", { ApprovalStatus: "approved" }, "Save", row("Content templates", "Greeting"));
    await eventually(async () => (await templates())[0].approval.status === "approved", "approved");
    await ask("Delete", {}, "Delete", row("Content templates", "Greeting"));
    equal(await templates(), []);
  });
  await step("a push credential is created, edited and deleted", async () => {
    const found = async () => (await all("/v1/Credentials", "credentials"))[0];
    await go("settings?tab=credentials");
    await ask("New credential", { Type: "fcm", FriendlyName: "Phones", Secret: "a key of a server" }, "Create");
    equal([(await found()).type, (await found()).friendly_name], ["fcm", "Phones"]);
    await ask("Edit", { FriendlyName: "Phones, new" }, "Save", row("Push credentials", "Phones"));
    equal((await found()).friendly_name, "Phones, new");
    await ask("Delete", {}, "Delete", row("Push credentials", "Phones"));
    equal(await found(), undefined);
  });
}

async function keys({ page, step, go, ask, press, dialog, row, closed }) {
  await step("a key is made, its secret shown once, and revoked", async () => {
    await go("settings?tab=keys");
    await press("New key");
    await dialog.locator("[name=FriendlyName]").fill("Tour");
    await press("Create", dialog);
    await page.getByText("Shown once").waitFor();
    const [sid, secret] = await dialog.locator("dd code").allTextContents();
    const headers = { Authorization: `Basic ${btoa(`${sid}:${secret}`)}` };
    await api("GET", "/v1/Conversations", undefined, headers);
    await press("I have it", dialog);
    await closed();
    await eventually(async () => !(await page.locator("main").textContent()).includes(secret), "the secret is not shown again");
    await ask("Edit", { FriendlyName: "Tour, renamed" }, "Save", row("API keys", "Tour"));
    await row("API keys", "Tour, renamed").waitFor();
    await ask("Delete", {}, "Delete", row("API keys", "Tour, renamed"));
    await eventually(() => api("GET", "/v1/Conversations", undefined, headers).then(() => false, (error) => / 401 /.test(error.message)), "refused");
  });
}

export async function settings(hand) {
  const service = (await rest.get("/v1/Configuration")).default_chat_service_sid;
  await single(hand, service);
  await lists(hand, service);
  await keys(hand);
}
