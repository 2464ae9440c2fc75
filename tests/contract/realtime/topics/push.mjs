// Push: registrations of devices, and notifications that a program passes to its client.

import { sdk } from "../place.mjs";

async function registrations(place, checks) {
  const credential = await place.constructor.credential("fcm");
  const apns = await place.constructor.credential("apn");
  const chat = (sid) => ({ grants: { chat: { service_sid: place.serviceSid, push_credential_sid: sid } } });
  const started = place.start(place.signed("alice", chat(credential.sid)));
  await checks.event("started", started.watch, "initialized");
  const { client } = started;
  const bindings = async () => {
    const all = await place.list("/Bindings");
    return all.map((each) => [each.identity, each.binding_type, each.credential_sid]);
  };
  await checks.works("registered", client.setPushRegistrationId("fcm", "device-token-1"));
  await checks.becomes("a binding", bindings, [["alice", "fcm", credential.sid]]);
  const [binding] = await place.list("/Bindings");
  checks.equal("of these kinds", [...binding.message_types].sort(), [
    "added_to_conversation",
    "new_message",
    "removed_from_conversation",
  ]);
  await checks.works("registered again", client.setPushRegistrationId("fcm", "device-token-1"));
  await checks.becomes("still one", bindings, [["alice", "fcm", credential.sid]]);
  await checks.works("unregistered", client.unsetPushRegistrationId("fcm"));
  await checks.becomes("no binding", bindings, []);
  await checks.works("registered with another token", client.setPushRegistrationId("fcm", "device-token-2"));
  await checks.becomes("a binding", bindings, [["alice", "fcm", credential.sid]]);
  await checks.works("removed", client.removePushRegistrations("fcm", "device-token-2"));
  await checks.becomes("no binding", bindings, []);
  const phone = place.start(place.signed("bob", chat(apns.sid)));
  await checks.event("started", phone.watch, "initialized");
  await checks.works("registered", phone.client.setPushRegistrationId("apn", "aabbcc"));
  await checks.becomes("a binding", bindings, [["bob", "apn", apns.sid]]);
}

const FCM = {
  data: {
    twi_message_type: "twilio.conversations.new_message",
    twi_title: "title",
    twi_body: "support;bob: hi",
    twi_sound: "default",
    conversation_sid: "CH1",
    conversation_title: "support",
    message_sid: "IM1",
    message_index: "3",
  },
};

async function notifications(place, checks) {
  const { client, watch } = await place.open("alice");
  const parsed = sdk.Client.parsePushNotification(FCM);
  checks.equal("type", parsed.type, "twilio.conversations.new_message");
  checks.equal("texts", [parsed.title, parsed.body, parsed.sound], ["title", "support;bob: hi", "default"]);
  checks.equal("conversation and message", [parsed.data.conversationSid, parsed.data.messageSid], ["CH1", "IM1"]);
  checks.equal("by the client", client.parsePushNotification(FCM).body, parsed.body);
  await checks.works("handled", client.handlePushNotification(FCM));
  const notification = await checks.event("emitted", watch, "pushNotification");
  checks.equal("as it was", notification?.body, parsed.body);
}

export const scenes = { registrations, notifications };
