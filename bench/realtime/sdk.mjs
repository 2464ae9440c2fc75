// The official client SDK, timed. `node sdk.mjs start|exchange`; settings come from the environment,
// and the result is one JSON object.
//
// start: a client whose user is in many conversations, until it is ready and has joined all.
// exchange: one client sends at a fixed rate, and the others listen. All of them share this process,
// so the result includes their processor time for each message.

import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const { SDK_FOLDER, SOCKET_URL, TOKENS, CONVERSATION_SID, COUNT, PER_SECOND } = process.env;
const { Client } = createRequire(`${SDK_FOLDER}/`)("conversations-3.0");
const tokens = JSON.parse(TOKENS);
const count = Number(COUNT);

function newClient(token) {
  return new Client(token, { Twilsock: { uri: SOCKET_URL }, logLevel: "silent" });
}

async function start() {
  const begin = performance.now();
  const client = newClient(tokens[0]);
  let joined = 0;
  let initializedMs;
  const all = new Promise((resolve, reject) => {
    client.on("conversationJoined", () => {
      joined += 1;
      if (joined === count) resolve();
    });
    client.on("initialized", () => {
      initializedMs = performance.now() - begin;
    });
    client.on("initFailed", ({ error }) => reject(new Error(error?.message)));
  });
  await all;
  const joinedMs = performance.now() - begin;
  await client.shutdown();
  return { initializedMs, joinedMs };
}

async function exchange() {
  const clients = tokens.map(newClient);
  await Promise.all(
    clients.map((client) => new Promise((resolve) => client.on("initialized", resolve))),
  );
  const conversations = await Promise.all(
    clients.map((client) => client.getConversationBySid(CONVERSATION_SID)),
  );
  await Promise.all(conversations.map((each) => each.getParticipants()));
  const [sender, ...listeners] = conversations;
  const sent = [];
  const latencies = [];
  for (const conversation of listeners) {
    conversation.on("messageAdded", (message) => {
      const begin = sent[Number(message.body.split(" ")[0])];
      if (begin !== undefined) latencies.push(performance.now() - begin);
    });
  }
  const from = performance.now();
  const before = process.cpuUsage();
  for (let number = 0; number < count; number += 1) {
    await sleep(Math.max(0, from + (number * 1000) / Number(PER_SECOND) - performance.now()));
    sent[number] = performance.now();
    sender.sendMessage(`${number} of the messages that are timed`);
  }
  const expected = count * listeners.length;
  for (let waited = 0; latencies.length < expected && waited < 100; waited += 1) await sleep(50);
  const used = process.cpuUsage(before);
  await Promise.all(clients.map((client) => client.shutdown()));
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))];
  const cpuMs = (used.user + used.system) / 1000 / count;
  return { received: latencies.length, expected, p50Ms: at(0.5), p99Ms: at(0.99), cpuMs };
}

console.log(JSON.stringify(await { start, exchange }[process.argv[2]]()));
process.exit(0);
