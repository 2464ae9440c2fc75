// Reads requests as JSON lines, as a receiver got them; prints what the npm client says of each.

import { createInterface } from "node:readline";
import twilio from "twilio";

for await (const line of createInterface({ input: process.stdin })) {
  const { token, signature, url, parameters } = JSON.parse(line);
  console.log(JSON.stringify(twilio.validateRequest(token, signature, url, parameters)));
}
