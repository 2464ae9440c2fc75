// Reads requests as JSON lines, as a receiver got them; prints what the npm client says of each.

import { createInterface } from "node:readline";
import twilio from "twilio";

for await (const line of createInterface({ input: process.stdin })) {
  const { token, signature, url, parameters, body } = JSON.parse(line);
  const isValid =
    body === undefined
      ? twilio.validateRequest(token, signature, url, parameters)
      : twilio.validateRequestWithBody(token, signature, url, body);
  console.log(JSON.stringify(isValid));
}
