/** Starts a server, or stops the one that was started; see `globalSetup` in index.d.ts. */
declare const hook: () => Promise<(() => Promise<void>) | void>;
export default hook;
