// Reads received requests as JSON lines; prints whether the npm client validates each signature.

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
