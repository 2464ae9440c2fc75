// The page: one conversation, its messages with their ages, and a token that is renewed in time.

/* global Twilio */

const MINUTE_MS = 60_000;
const identity = new URLSearchParams(location.search).get("identity") ?? "alice";
const element = (id) => document.getElementById(id);

async function fetchToken() {
  const response = await fetch(`/token?identity=${encodeURIComponent(identity)}`);
  return response.json();
}

function age(date) {
  const minutes = Math.floor((Date.now() - date.getTime()) / MINUTE_MS);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ago` : `${Math.floor(hours / 24)} d ago`;
}

function show(message) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  time.dateTime = message.dateCreated.toISOString();
  item.append(`${message.author}: ${message.body} `, time);
  element("messages").append(item);
  refreshAges();
}

function refreshAges() {
  for (const time of document.querySelectorAll("time")) {
    time.textContent = age(new Date(time.dateTime));
  }
}

async function open(conversation) {
  const showState = () => (element("state").textContent = conversation.state?.current ?? "active");
  element("title").textContent = conversation.friendlyName;
  conversation.on("updated", showState);
  conversation.on("messageAdded", show);
  showState();
  for (const message of (await conversation.getMessages()).items) show(message);
  element("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    await conversation.sendMessage(element("body").value);
    element("body").value = "";
  });
}

async function start() {
  const { token, sdkOptions } = await fetchToken();
  const client = new Twilio.Conversations.Client(token, sdkOptions);
  client.on("connectionStateChanged", (state) => (element("connection").textContent = state));
  const renew = async () => client.updateToken((await fetchToken()).token);
  client.on("tokenAboutToExpire", renew);
  // A client that was not connected at that time has missed the warning.
  client.on("tokenExpired", renew);
  client.on("initialized", async () => {
    const { items } = await client.getSubscribedConversations();
    await open(items[0]);
  });
  setInterval(refreshAges, MINUTE_MS);
}

start();
