// Attempts of an application to lose messages, in Node.js or in a page: it sends, and reads at once.
// Each attempt returns the messages without a `messageAdded` event.

(() => {
  const SETTLED_SECONDS_MAX = 10;

  function watch(conversation) {
    const received = new Set();
    conversation.on("messageAdded", (message) => received.add(message.body));
    return received;
  }

  // The bodies that are still missing after SETTLED_SECONDS_MAX.
  async function missing(received, bodies) {
    const deadline = Date.now() + SETTLED_SECONDS_MAX * 1000;
    const left = () => bodies.filter((body) => !received.has(body));
    while (left().length > 0 && Date.now() < deadline) {
      await new Promise((resume) => setTimeout(resume, 10));
    }
    return left();
  }

  // The newest message is fetched as soon as the send is acknowledged.
  async function awaited(conversation, count) {
    const received = watch(conversation);
    const bodies = [];
    const stale = [];
    for (let number = 0; number < count; number += 1) {
      const body = `awaited ${number}`;
      bodies.push(body);
      await conversation.sendMessage(body);
      const { items } = await conversation.getMessages(1);
      if (items.at(-1)?.body !== body) stale.push(body);
    }
    return { stale, lost: await missing(received, bodies) };
  }

  // `setAllMessagesRead` reads the list while a message is in flight.
  async function concurrent(conversation, count) {
    const received = watch(conversation);
    const bodies = [];
    for (let number = 0; number < count; number += 1) {
      const body = `concurrent ${number}`;
      bodies.push(body);
      const sent = conversation.sendMessage(body);
      await Promise.all([sent, conversation.setAllMessagesRead()]);
    }
    return { stale: [], lost: await missing(received, bodies) };
  }

  // The same with the first message of each of these conversations.
  async function first(conversations) {
    const lost = [];
    for (const conversation of conversations) {
      lost.push(...(await concurrent(conversation, 1)).lost.map((body) => `${body}, ${conversation.sid}`));
    }
    return { stale: [], lost };
  }

  // One round of all attempts in the conversations of a client; the first one gets most messages.
  async function round(client, sids, count) {
    const [conversation, ...others] = await Promise.all(sids.map((sid) => client.getConversationBySid(sid)));
    return {
      first: await first(others),
      awaited: await awaited(conversation, count),
      concurrent: await concurrent(conversation, count),
    };
  }

  globalThis.attempts = { round };
})();
