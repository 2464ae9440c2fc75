// A separate service for a scene: requests to its REST API, tokens for its users, clients.

import { createHmac } from "node:crypto";
import { createRequire } from "node:module";
import { Watch, eventually } from "./checks.mjs";
import "./subscriptions.js";

const require = createRequire(import.meta.url);
const { BASE_URL, ACCOUNT_SID, AUTH_TOKEN, KEY_SID, KEY_SECRET } = process.env;

export const SDK_NAME = process.env.SDK ?? "conversations-3.0";
export const sdk = require(SDK_NAME);
export const VERSION = require(`${SDK_NAME}/package.json`).version;
export const baseUrl = BASE_URL;
export const PROXY_NUMBER = "+15017122661";

export const CLIENT_EVENTS = (
  "conversationAdded conversationJoined conversationLeft conversationRemoved conversationUpdated " +
  "participantJoined participantLeft participantUpdated messageAdded messageRemoved " +
  "messageUpdated typingStarted typingEnded userSubscribed userUnsubscribed userUpdated " +
  "tokenAboutToExpire tokenExpired pushNotification stateChanged initialized initFailed " +
  "connectionStateChanged connectionError"
).split(" ");
export const CONVERSATION_EVENTS = (
  "participantJoined participantLeft participantUpdated messageAdded messageRemoved " +
  "messageUpdated typingStarted typingEnded updated removed"
).split(" ");

let numbers = 2_000_000;

// A number of North America that no scene has used yet.
export function phoneNumber() {
  numbers += 1;
  return `+1555${numbers}`;
}

function form(fields) {
  const pairs = Object.entries(fields).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((each) => [name, String(each)]),
  );
  return new URLSearchParams(pairs);
}

async function request(method, url, fields, headers = {}) {
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(`${ACCOUNT_SID}:${AUTH_TOKEN}`).toString("base64")}`,
      ...headers,
    },
    body: fields && form(fields),
  });
  const text = await response.text();
  return { status: response.status, json: text ? JSON.parse(text) : null };
}

async function must(method, url, fields, headers) {
  const { status, json } = await request(method, url, fields, headers);
  if (status >= 300) throw new Error(`${method} ${url}: ${status} ${JSON.stringify(json)}`);
  return json;
}

function encoded(value) {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

export class Place {
  static async make() {
    const made = await must("POST", `${BASE_URL}/v1/Services`, { FriendlyName: "Place" });
    return new Place(made.sid);
  }

  // A credential of the account for push notifications, whose secret is made up.
  static credential(Type) {
    const secret = Type === "fcm" ? { Secret: "made-up" } : { Certificate: "a", PrivateKey: "b" };
    return must("POST", `${BASE_URL}/v1/Credentials`, { Type, FriendlyName: Type, ...secret });
  }

  // A content template of the account with variants by type.
  static template(types) {
    const form = { FriendlyName: "of a scene", Types: JSON.stringify(types) };
    return must("POST", `${BASE_URL}/parlour/v1/ContentTemplates`, form);
  }

  // A message that a virtual phone of the account sends, as the phone shows it.
  static textFromPhone(phone, To, Body) {
    return must("POST", `${BASE_URL}/parlour/v1/VirtualPhones/${phone}/Messages`, { To, Body });
  }

  // A fault of a server in test mode.
  static fault(fields) {
    return must("POST", `${BASE_URL}/parlour/v1/Faults`, fields);
  }

  // How often a fault has acted.
  static async fired({ sid }) {
    return (await must("GET", `${BASE_URL}/parlour/v1/Faults/${sid}`)).fired;
  }

  // The clock of a server in test mode: set, or with "/Advance" advanced.
  static clock(path, fields) {
    return must("POST", `${BASE_URL}/parlour/v1/Clock${path}`, fields);
  }

  constructor(serviceSid) {
    this.serviceSid = serviceSid;
    this.clients = [];
  }

  #url(path) {
    return `${BASE_URL}/v1/Services/${this.serviceSid}${path}`;
  }

  // --- REST: these throw unless the response is a success; `status` returns any status.

  get(path) {
    return must("GET", this.#url(path));
  }

  post(path, fields = {}, headers = {}) {
    return must("POST", this.#url(path), fields, headers);
  }

  delete(path) {
    return must("DELETE", this.#url(path));
  }

  async status(path) {
    return (await request("GET", this.#url(path))).status;
  }

  // All items of a list, page by page.
  async list(path, key) {
    const items = [];
    for (let url = this.#url(path); url; ) {
      const page = await must("GET", url);
      items.push(...page[key ?? page.meta.key]);
      url = page.meta.next_page_url;
    }
    return items;
  }

  // A conversation that these users are in.
  async conversation(identities, fields = {}) {
    const made = await this.post("/Conversations", fields);
    for (const Identity of identities) {
      await this.post(`/Conversations/${made.sid}/Participants`, { Identity });
    }
    return made;
  }

  // Messages to this number create conversations of the service, unless one is open already.
  autoCreate(Address) {
    return must("POST", `${BASE_URL}/v1/Configuration/Addresses`, {
      Type: "sms",
      Address,
      "AutoCreation.Enabled": "true",
      "AutoCreation.Type": "default",
      "AutoCreation.ConversationServiceSid": this.serviceSid,
    });
  }

  sendMessage(conversationSid, Body, fields = {}) {
    return this.post(`/Conversations/${conversationSid}/Messages`, { Body, ...fields });
  }

  async role(type, permissions) {
    const fields = { FriendlyName: `${type} ${Math.random()}`, Type: type, Permission: permissions };
    return this.post("/Roles", fields);
  }

  // --- Tokens

  // As the server makes them for development.
  async token(identity, ttl = 3600) {
    const fields = { Identity: identity, ServiceSid: this.serviceSid, Ttl: ttl };
    return (await must("POST", `${BASE_URL}/parlour/v1/Tokens`, fields)).token;
  }

  // As a program makes them with its API key; `changes` go over the claims and the header.
  signed(identity, { ttl = 3600, claims = {}, grants = {}, algorithm = "HS256", secret } = {}) {
    const now = Math.floor(Date.now() / 1000);
    const chat = { service_sid: this.serviceSid };
    const body = {
      jti: `${KEY_SID}-${now}`,
      iss: KEY_SID,
      sub: ACCOUNT_SID,
      iat: now,
      nbf: now,
      exp: now + ttl,
      grants: { identity, chat, ...grants },
      ...claims,
    };
    const header = { cty: "twilio-fpa;v=1", typ: "JWT", alg: algorithm };
    const text = `${encoded(header)}.${encoded(body)}`;
    const hash = algorithm.replace("HS", "sha");
    const signature = createHmac(hash, secret ?? KEY_SECRET).update(text).digest("base64url");
    return `${text}.${signature}`;
  }

  // --- Clients

  // A client that is not yet initialized, and a watch of its events.
  start(token, options = {}) {
    const uri = options.uri ?? `${BASE_URL.replace("http", "ws")}/v3/wsconnect`;
    const { uri: _, ...others } = options;
    const client = new sdk.Client(token, { logLevel: "silent", Twilsock: { uri }, ...others });
    const watch = new Watch(client, CLIENT_EVENTS);
    this.clients.push(client);
    return { client, watch };
  }

  // An initialized client, and a watch of its events.
  async open(identity, options = {}) {
    const started = this.start(await this.token(identity), options);
    if ((await started.watch.wait("initialized", () => true, 10)) === undefined) {
      throw new Error(`${identity} did not start: ${started.watch.missing("initialized")}`);
    }
    return started;
  }

  // Users that are in one conversation: it, and for each of them client, watch and conversation.
  async together(identities, fields = {}) {
    const made = await this.conversation(identities, fields);
    const members = {};
    for (const identity of identities) {
      const { client, watch } = await this.open(identity);
      members[identity] = { client, watch, conversation: await joined(watch, made.sid) };
    }
    for (const each of Object.values(members)) each.watch.clear();
    return { sid: made.sid, made, ...members };
  }

  async close() {
    await Promise.allSettled(this.clients.map((client) => client.shutdown()));
  }
}

// The conversation, once the client has opened its participants and messages.
export async function opened(watch, sid) {
  const found = await watch.wait("conversationJoined", (each) => each.sid === sid, 10);
  if (found === undefined) throw new Error(`not joined: ${watch.missing("conversationJoined")}`);
  await found.argument.getParticipants();
  return found.argument;
}

// The same, once the SDK has also subscribed to the opened objects. Before that it may fetch an
// object without a notification, and then emits no event for it.
export async function joined(watch, sid) {
  const conversation = await opened(watch, sid);
  await globalThis.subscribed(conversation, globalThis.objectsOf(sid));
  return conversation;
}

// The message with this index, once the client was notified of it: the SDK emits no event for one
// that it has fetched before.
export async function messageAt(conversation, index) {
  await eventually(() => conversation.lastMessage?.index, (last) => last >= index, 5);
  const page = await eventually(
    () => conversation.getMessages(1, index, "forward"),
    ({ items }) => items[0]?.index === index,
  );
  return page.items.find((each) => each.index === index);
}
