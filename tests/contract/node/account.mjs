// Operations on the resources of an account and of a service, by the npm client.

import { sids } from "./checks.mjs";

const STUDIO_FLOW = "FW" + "0".repeat(31) + "1";

async function configuration(place, checks) {
  const before = await place.v1.configuration().fetch();
  checks.equal("belongs to the account", before.accountSid, place.accountSid);
  checks.equal("no timer at first", before.defaultInactiveTimer, null);
  const changed = await place.v1
    .configuration()
    .update({ defaultInactiveTimer: "PT1M", defaultClosedTimer: "PT10M" });
  checks.equal("inactive timer", changed.defaultInactiveTimer, "PT1M");
  checks.equal("closed timer", changed.defaultClosedTimer, "PT10M");
  const off = await place.v1
    .configuration()
    .update({ defaultInactiveTimer: "PT0S", defaultClosedTimer: "PT0S" });
  checks.equal("timers off", [off.defaultInactiveTimer, off.defaultClosedTimer], [null, null]);
}

async function accountWebhooks(place, checks) {
  const webhooks = place.v1.configuration.webhooks();
  checks.equal("no filters at first", (await webhooks.fetch()).filters, []);
  const changed = await webhooks.update({
    method: "get",
    filters: ["onMessageAdd", "onMessageAdded"],
    postWebhookUrl: "https://example.com/post",
  });
  checks.equal("method in upper case", changed.method, "GET");
  checks.equal("filters", changed.filters, ["onMessageAdd", "onMessageAdded"]);
  checks.equal("URL", changed.postWebhookUrl, "https://example.com/post");
  checks.equal("target", changed.target, "webhook");
}

async function addressConfigurations(place, checks) {
  const addresses = place.v1.addressConfigurations;
  const made = await addresses.create({
    type: "sms",
    address: "+37256123457",
    friendlyName: "Front desk",
    "autoCreation.enabled": true,
    "autoCreation.type": "studio",
    "autoCreation.studioFlowSid": STUDIO_FLOW,
  });
  checks.equal("address", [made.address, made.type], ["+37256123457", "sms"]);
  checks.equal("flow", made.autoCreation.studio_flow_sid, STUDIO_FLOW);
  checks.equal("by address", (await addresses("+37256123457").fetch()).sid, made.sid);
  checks.equal("list", sids(await addresses.list()), [made.sid]);
  const changed = await addresses(made.sid).update({
    friendlyName: "Back desk",
    "autoCreation.type": "default",
  });
  checks.equal("name", changed.friendlyName, "Back desk");
  checks.equal("flow dropped", changed.autoCreation.studio_flow_sid, null);
  checks.equal("enabled", changed.autoCreation.enabled, true);
  checks.true("removed", await addresses(made.sid).remove());
  checks.equal("deleted", await addresses.list(), []);
}

async function credentials(place, checks) {
  const keys = place.v1.credentials;
  const made = await keys.create({
    type: "apn",
    friendlyName: "Phones",
    certificate: "one",
    privateKey: "two",
    sandbox: true,
  });
  checks.equal("made", [made.type, made.friendlyName, made.sandbox], ["apn", "Phones", "True"]);
  checks.equal("fetched", (await keys(made.sid).fetch()).friendlyName, "Phones");
  const changed = await keys(made.sid).update({ friendlyName: "Tablets", sandbox: false });
  checks.equal("changed", [changed.friendlyName, changed.sandbox], ["Tablets", "False"]);
  checks.equal("list", sids(await keys.list()), [made.sid]);
  checks.true("removed", await keys(made.sid).remove());
  checks.equal("deleted", await keys.list(), []);
}

async function services(place, checks) {
  const known = sids(await place.v1.services.list());
  checks.true("knows the second service", known.includes(place.serviceSid));
  const made = await place.v1.services.create({ friendlyName: "Branch office" });
  checks.equal("name", made.friendlyName, "Branch office");
  checks.equal("fetched", (await place.v1.services(made.sid).fetch()).url, made.url);
  checks.equal("list", sids(await place.v1.services.list()), [...known, made.sid]);
  checks.true("removed", await place.v1.services(made.sid).remove());
  checks.equal("deleted", sids(await place.v1.services.list()), known);
}

async function serviceConfiguration(place, checks) {
  const service = place.v1.services(place.serviceSid);
  const before = await service.configuration().fetch();
  checks.equal("service", before.chatServiceSid, place.serviceSid);
  checks.equal("reachability", before.reachabilityEnabled, false);
  const roles = await service.roles.list();
  const admin = roles.find((role) => role.friendlyName === "channel admin");
  checks.equal("creator role", before.defaultConversationCreatorRoleSid, admin.sid);
  const changed = await service.configuration().update({ reachabilityEnabled: true });
  checks.equal("changed", changed.reachabilityEnabled, true);
  checks.equal("unchanged", changed.defaultConversationRoleSid, before.defaultConversationRoleSid);
  await service.configuration().update({ reachabilityEnabled: false });
}

async function serviceWebhooks(place, checks) {
  const webhooks = place.v1.services(place.serviceSid).configuration.webhooks();
  const fresh = await webhooks.fetch();
  checks.equal("null at first", [fresh.filters, fresh.method], [null, null]);
  const changed = await webhooks.update({
    preWebhookUrl: "https://example.com/pre",
    filters: ["onUserAdded", "onUserUpdated"],
  });
  checks.equal("URL", changed.preWebhookUrl, "https://example.com/pre");
  checks.equal("filters", changed.filters, ["onUserAdded", "onUserUpdated"]);
  checks.equal("method", changed.method, "POST");
}

async function serviceNotifications(place, checks) {
  const notifications = place.v1.services(place.serviceSid).configuration.notifications();
  checks.equal("off at first", (await notifications.fetch()).newMessage, { enabled: false });
  const changed = await notifications.update({
    logEnabled: true,
    "newMessage.enabled": true,
    "newMessage.template": "${MESSAGE}",
    "newMessage.withMedia.enabled": true,
  });
  checks.equal("log", changed.logEnabled, true);
  checks.equal("template", changed.newMessage.template, "${MESSAGE}");
  checks.equal("media", changed.newMessage.with_media.enabled, true);
}

async function serviceBindings(place, checks) {
  const bindings = place.v1.services(place.serviceSid).bindings;
  const [alice, bob] = place.bindingSids;
  const fetched = await bindings(alice).fetch();
  checks.equal("fetched", [fetched.sid, fetched.identity], [alice, "alice"]);
  checks.equal("list", sids(await bindings.list()).sort(), [alice, bob].sort());
  checks.equal("filter", sids(await bindings.list({ identity: ["bob", "eve"] })), [bob]);
  checks.true("removed", await bindings(alice).remove());
  checks.equal("deleted", sids(await bindings.list()), [bob]);
}

export const ACCOUNT_SCENARIOS = {
  configuration,
  accountWebhooks,
  addressConfigurations,
  credentials,
  services,
  serviceConfiguration,
  serviceWebhooks,
  serviceNotifications,
  serviceBindings,
};
