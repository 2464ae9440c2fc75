// `globalTeardown: "parlour-testkit/global-teardown"` in the configuration of Jest.

export { globalTeardown as default } from "./lib/global_setup.js";
