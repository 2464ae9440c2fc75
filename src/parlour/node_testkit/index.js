// The test kit of Parlour for Node.js: see README.md.

export { Account } from "./lib/account.js";
export { Clock } from "./lib/clock.js";
export { ExpectationFailed, NotSettled, ParlourError, StartFailed } from "./lib/errors.js";
export { Fault, Faults } from "./lib/faults.js";
export { globalSetup, globalTeardown } from "./lib/global_setup.js";
export { Parlour, connectParlour, startParlour } from "./lib/parlour.js";
export { Phone, Phones } from "./lib/phones.js";
export { parlourFixtures } from "./lib/playwright_fixtures.js";
export { Receiver, Webhook } from "./lib/receiver.js";
export { Events, Requests, WebhookAttempts } from "./lib/recorded_lists.js";
