// The official REST client for a server: its own HTTP client, with another host.

const HOSTED = /^https:\/\/[a-z0-9.-]+\.twilio\.com(?=\/|$)/;
const DOMAINS = ["api", "content", "conversations"];

// Requests for any host of the hosted service go to the server, so that none leaves the machine.
export function restClient(twilio, url, account, options) {
  const make = twilio.default ?? twilio;
  if (typeof make !== "function") {
    throw new TypeError('client() takes the package itself: account.client(require("twilio")).');
  }
  const client = make(account.sid, account.authToken, options);
  const value = redirected(client.httpClient, url);
  // A getter of the class makes the HTTP client, of which there is one for each client.
  Object.defineProperty(client, "httpClient", { value, configurable: true, writable: true });
  for (const domain of DOMAINS) {
    if (client[domain]) client[domain].baseUrl = url;
  }
  return client;
}

function redirected(httpClient, url) {
  return new Proxy(httpClient, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (name !== "request") return typeof value === "function" ? value.bind(target) : value;
      return (request) =>
        target.request({ ...request, uri: request.uri.replace(HOSTED, () => url) });
    },
  });
}
