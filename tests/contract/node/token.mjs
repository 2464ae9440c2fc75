// Prints an access token that the helper library makes by the real time.

import twilio from "twilio";

const { ACCOUNT_SID, KEY_SID, KEY_SECRET, SERVICE_SID, IDENTITY } = process.env;
const { AccessToken } = twilio.jwt;
const token = new AccessToken(ACCOUNT_SID, KEY_SID, KEY_SECRET, { identity: IDENTITY, ttl: 60 });
token.addGrant(new AccessToken.ChatGrant({ serviceSid: SERVICE_SID }));
process.stdout.write(token.toJwt());
