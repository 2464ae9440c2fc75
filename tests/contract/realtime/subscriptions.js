// Subscriptions of a client, in Node.js or in a page. The SDK subscribes to objects some time after
// it has opened them, emits no event then, and reports no change of an object before.

(() => {
  const SECONDS_MAX = 10;
  const POLL_MS = 5;

  // The objects that a client or a conversation has opened, by name: whether each is subscribed to.
  function opened(owner) {
    const { syncClient } = owner._services ?? owner.services;
    const found = [...syncClient.services.subscriptions.subscriptions.values()];
    return new Map(found.map((each) => [each.localObject.uniqueName, each.isEstablished]));
  }

  // Returns once the client is subscribed to these objects, and to all others that it has opened.
  globalThis.subscribed = async (owner, names = []) => {
    const deadline = Date.now() + SECONDS_MAX * 1000;
    for (;;) {
      const seen = opened(owner);
      const missing = new Set(names.filter((name) => !seen.has(name)));
      for (const [name, isEstablished] of seen) if (!isEstablished) missing.add(name);
      if (missing.size === 0) return;
      if (Date.now() > deadline) throw new Error(`not subscribed: ${[...missing].join(", ")}`);
      await new Promise((resume) => setTimeout(resume, POLL_MS));
    }
  };

  globalThis.objectsOf = (sid) => [`${sid}.channel`, `${sid}.roster`, `${sid}.messages`];
})();
