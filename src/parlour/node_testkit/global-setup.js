// `globalSetup: "parlour-testkit/global-setup"` in the configuration of Vitest or Jest.

export { globalSetup as default } from "./lib/global_setup.js";
