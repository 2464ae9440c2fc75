// A support desk: tickets are conversations between an agent's app and a customer's phone.

import { createServer } from "node:http";
import twilio from "twilio";

const NUMBER = "+15550999";
const TIMERS = { "timers.inactive": "PT10M", "timers.closed": "P1D" };

export class SupportDesk {
  constructor(client, authToken) {
    this.conversations = client.conversations.v1.conversations;
    this.authToken = authToken;
  }

  // Open a ticket, and greet the customer. Returns the sid of the conversation.
  async openTicket({ agent, customer, subject }) {
    const { sid } = await this.conversations.create({ friendlyName: subject, ...TIMERS });
    const { participants, messages } = this.conversations(sid);
    await participants.create({ identity: agent });
    await participants.create({
      "messagingBinding.address": customer,
      "messagingBinding.proxyAddress": NUMBER,
    });
    await messages.create({ author: agent, body: `Hello, this is ${agent}. How can I help?` });
    return sid;
  }

  // Serve webhooks: a customer who falls silent is asked once. Returns the HTTP server.
  async listen() {
    const server = createServer((request, response) => {
      this.#webhook(request).then(
        (status) => response.writeHead(status).end(),
        () => response.writeHead(500).end(),
      );
    });
    await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
    this.url = `http://127.0.0.1:${server.address().port}/webhooks`;
    return server;
  }

  async #webhook(request) {
    const chunks = await request.toArray();
    const form = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
    const signature = request.headers["x-twilio-signature"] ?? "";
    if (!twilio.validateRequest(this.authToken, signature, this.url, form)) return 403;
    if (form.StateTo === "inactive") await this.#ask(form.ConversationSid);
    return 204;
  }

  async #ask(sid) {
    const { messages } = this.conversations(sid);
    const sent = await messages.list();
    const question = "Are you still there?";
    if (!sent.some(({ body }) => body === question)) await messages.create({ body: question });
  }
}
