// Runs in the page, next to the SDK's bundle: starts a client, and records its events.

/* global Twilio */

window.seen = [];

function facts(argument) {
  const about = argument?.conversation && argument.updateReasons ? argument.conversation : argument;
  const { sid, body, author, index, identity } = about ?? {};
  return { sid, body, author, index, identity };
}

window.begin = (token, uri, names) => {
  const client = new Twilio.Conversations.Client(token, { logLevel: "silent", Twilsock: { uri } });
  for (const name of names) {
    client.on(name, (argument) => window.seen.push({ name, ...facts(argument) }));
  }
  window.client = client;
};

window.only = async () => {
  const { items } = await window.client.getSubscribedConversations();
  return items[0];
};

window.bodies = async () => {
  const { items } = await (await window.only()).getMessages();
  return items.map((each) => each.body);
};

window.content = async (index) => {
  const { items } = await (await window.only()).getMessages(1, index, "forward");
  const { type, title, actions } = await items[0].getContentData();
  return { type, title, titles: actions.map((each) => each.title) };
};

window.firstBytes = async (index) => {
  const { items } = await (await window.only()).getMessages(1, index, "forward");
  const [medium] = items[0].attachedMedia;
  const response = await fetch(await medium.getContentTemporaryUrl());
  const bytes = [...new Uint8Array(await response.arrayBuffer())];
  return { bytes, name: medium.filename, type: medium.contentType, size: medium.size };
};
