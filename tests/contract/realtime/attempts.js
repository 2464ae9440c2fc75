// What an application does with a conversation, again and again, beside the SDK, in Node.js or in a
// page: it sends, and reads at once. Each attempt gives back which messages it did not get.

(() => {
  const SETTLED_SECONDS_MAX = 10;

  function watch(conversation) {
    const heard = new Set();
    conversation.on("messageAdded", (message) => heard.add(message.body));
    return heard;
  }

  // What has not come after a while.
  async function missing(heard, bodies) {
    const deadline = Date.now() + SETTLED_SECONDS_MAX * 1000;
    const left = () => bodies.filter((body) => !heard.has(body));
    while (left().length > 0 && Date.now() < deadline) {
      await new Promise((resume) => setTimeout(resume, 10));
    }
    return left();
  }

  // The last message is asked for as soon as it is known to be sent.
  async function awaited(conversation, count) {
    const heard = watch(conversation);
    const bodies = [];
    const stale = [];
    for (let number = 0; number < count; number += 1) {
      const body = `awaited ${number}`;
      bodies.push(body);
      await conversation.sendMessage(body);
      const { items } = await conversation.getMessages(1);
      if (items.at(-1)?.body !== body) stale.push(body);
    }
    return { stale, lost: await missing(heard, bodies) };
  }

  // The list is read while a message is on its way.
  async function beside(conversation, count) {
    const heard = watch(conversation);
    const bodies = [];
    for (let number = 0; number < count; number += 1) {
      const body = `beside ${number}`;
      bodies.push(body);
      const sent = conversation.sendMessage(body);
      await Promise.all([sent, conversation.setAllMessagesRead()]);
    }
    return { stale: [], lost: await missing(heard, bodies) };
  }

  // The same with the first message of each of these conversations.
  async function first(conversations) {
    const lost = [];
    for (const conversation of conversations) {
      lost.push(...(await beside(conversation, 1)).lost.map((body) => `${body}, ${conversation.sid}`));
    }
    return { stale: [], lost };
  }

  // One round of everything, in the conversations of a client; the first one gets most.
  async function round(client, sids, count) {
    const [room, ...others] = await Promise.all(sids.map((sid) => client.getConversationBySid(sid)));
    return {
      first: await first(others),
      awaited: await awaited(room, count),
      beside: await beside(room, count),
    };
  }

  globalThis.attempts = { round };
})();
