/** The test kit of Parlour: a server in test mode, driven from Node.js. */

/** A date, its text in ISO 8601, or milliseconds since 1970. */
export type DateLike = Date | string | number;
/** Parameters of the API in camelCase, such as `{friendlyName: "Shop"}`. */
export type Parameters = Record<string, unknown>;
/** A row of the API, with its names in camelCase. */
export type Row = Record<string, any>;

export interface WaitOptions {
  /** Milliseconds; default: PARLOUR_WAIT_MS, else 2,000. */
  timeout?: number;
}

export interface StartOptions {
  /** The command of the server, with parameters; default: PARLOUR_COMMAND, else `parlour`. */
  command?: string | string[];
  /** A document to load at the start, or the path of one; or a list of these. */
  seed?: string | object | (string | object)[];
  /** Refuse unknown parameters of requests. */
  strict?: boolean;
  /** Makes sids and jitter the same in each run. */
  randomSeed?: number;
  /** Further settings of the server, as for `parlour serve`. */
  args?: string[];
  /** Environment of the server, in addition to this process's without PARLOUR_*. */
  env?: Record<string, string>;
}

export interface ConnectOptions {
  /** Default: PARLOUR_URL. */
  url?: string;
  /** Default: PARLOUR_ACCOUNT_SID. */
  accountSid?: string;
  /** The auth token of the account. Default: PARLOUR_AUTH_TOKEN. */
  authToken?: string;
}

/** Start a server in test mode on a free port; it ends with `stop()` or with this process. */
export function startParlour(options?: StartOptions): Promise<Parlour>;
/** Use a server that runs already, such as a container. */
export function connectParlour(options?: ConnectOptions): Promise<Parlour>;

export class Parlour {
  private constructor();
  readonly url: string;
  /** URL of the realtime socket. */
  readonly wsUrl: string;
  readonly version: string;
  /** Whether this process started the server. */
  readonly isOwn: boolean;
  readonly clock: Clock;
  /** The first account, whose credentials this object uses. */
  readonly account: Account;
  /** Variables with which another process reaches this server. */
  readonly env: Record<string, string>;
  /** An account whose data no other account sees: one for each test. */
  createAccount(options?: {
    friendlyName?: string;
    sid?: string;
    authToken?: string;
  }): Promise<Account>;
  deleteAccount(account: Account): Promise<void>;
  /** All accounts as after the start, and the clock on system time. */
  reset(options?: { seed?: "start"; randomSeed?: number }): Promise<void>;
  /** Remember the state of the whole server. */
  snapshot(name: string): Promise<void>;
  restore(name: string): Promise<void>;
  /** Stop the server, if this process started it. */
  stop(): Promise<void>;
}

export interface Advance {
  now: Date;
  steps: number;
  elapsedMs: number;
  fired: { at: Date; what: string; count: number }[];
}

/** The clock of the server: one for all of its accounts. */
export class Clock {
  private constructor();
  readonly isChanged: boolean;
  now(): Promise<Date>;
  /** Stand still, at a date or now. */
  freeze(at?: DateLike): Promise<Date>;
  /** Run on from a date. */
  shift(to: DateLike): Promise<Date>;
  /**
   * Move on by `"PT10M"` or milliseconds, from due time to due time.
   * @throws NotSettled if work is left after `timeout` ms (default 10,000).
   */
  advance(by: string | number, options?: { timeout?: number }): Promise<Advance>;
  travelTo(at: DateLike, options?: { timeout?: number }): Promise<Advance>;
  /** The real time again. */
  system(): Promise<Date>;
}

/** What `account.client` needs of the package `twilio`. */
export type TwilioPackage<Client> =
  | ((accountSid?: string, authToken?: string, options?: any) => Client)
  | { default: (accountSid?: string, authToken?: string, options?: any) => Client };

export class Account {
  private constructor();
  readonly sid: string;
  readonly authToken: string;
  /** Null for an account that was given by its auth token only. */
  readonly apiKeySid: string | null;
  readonly apiKeySecret: string | null;
  readonly serviceSid: string;
  /** Variables that programs of the official libraries read. */
  readonly env: Record<string, string>;
  /** Options of the client SDK: `new Client(token, account.sdkOptions)`. */
  readonly sdkOptions: { Twilsock: { uri: string } };
  readonly faults: Faults;
  readonly phones: Phones;
  readonly requests: Requests;
  readonly events: Events;
  readonly webhookAttempts: WebhookAttempts;
  /** The official REST client, pointed at the server: `account.client(twilio)`. */
  client<Client>(twilio: TwilioPackage<Client>, options?: object): Client;
  /** An access token of a user; `ttl` in seconds. */
  token(identity: string, options?: { ttl?: number; serviceSid?: string }): Promise<string>;
  /** Load a document or a file in JSON or YAML. Returns the sids by local name. */
  seed(
    document: string | object,
    variables?: Record<string, string | number>,
  ): Promise<Record<string, string>>;
  /**
   * Wait until nothing is left to do: the replacement for a sleep.
   * @throws NotSettled if work is left after `timeout` ms (default 10,000).
   */
  settle(options?: { timeout?: number }): Promise<{ elapsedMs: number }>;
  /** Make the real change that causes an event. Returns the sids that it touched. */
  trigger(eventType: string, parameters?: Parameters): Promise<Record<string, any>>;
  /** Behave more like the hosted service: `{actionsPerSecond: 30}`. */
  emulate(changes: Parameters): Promise<Record<string, any>>;
  /** Remove everything but the credentials and the default service. */
  reset(): Promise<void>;
  snapshot(name: string): Promise<void>;
  restore(name: string): Promise<void>;
  /** A receiver of webhooks in this process. */
  webhooks(options?: {
    hostname?: string;
    port?: number;
    /** The name of this machine for a server in a container. */
    publicHost?: string;
  }): Promise<Receiver>;
  /** Close the receivers, and remove the account with all of its data. */
  remove(): Promise<void>;
}

/** A value of a field, or a pattern that it fits. */
export type Expected = string | number | RegExp;

export class Webhook {
  private constructor();
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
  readonly params: Record<string, string>;
  readonly event: string;
  readonly idempotencyToken: string | undefined;
  readonly isPreAction: boolean;
}

/** A receiver of webhooks. A request with a wrong signature fails the next call. */
export class Receiver {
  private constructor();
  readonly url: string;
  readonly all: Webhook[];
  /** Have events sent here: of the account, a service or a conversation; default: post-action. */
  configure(options?: {
    filters?: string[];
    serviceSid?: string;
    conversationSid?: string;
    method?: "GET" | "POST";
  }): Promise<this>;
  /** The first webhook of an event with these parameters. */
  waitFor(
    event: string,
    params?: Record<string, Expected>,
    options?: WaitOptions,
  ): Promise<Webhook>;
  /** @throws ExpectationFailed if one has arrived when the account has settled. */
  none(event?: string): Promise<void>;
  /** Answer the next `times` requests (0: all) with a status. */
  answer(options: {
    status?: number;
    times?: number;
    delayMs?: number;
    body?: string;
    headers?: Record<string, string>;
    event?: string;
  }): void;
  /** Let pre-action events through with other fields: `{body: "…"}`. */
  amend(fields: Record<string, unknown>): void;
  /** Reject the actions of pre-action events. */
  reject(options?: { status?: number }): void;
  /** Let pre-action events through again. */
  accept(): void;
  /** Forget the webhooks so far. */
  forget(): void;
  close(): Promise<void>;
}

export class Fault {
  private constructor();
  readonly sid: string;
  readonly name: string | null;
  readonly target: "request" | "socket" | "webhook" | "carrier";
  readonly times: number;
  /** As of the last `refresh()`. */
  readonly matched: number;
  readonly fired: number;
  readonly left: number | null;
  refresh(): Promise<this>;
  remove(): Promise<void>;
}

export class Faults {
  private constructor();
  /** A fault with parameters of the API: `{operation, status: 429, times: 2}`. */
  add(
    fault: { target?: "request" | "socket" | "webhook" | "carrier"; times?: number } & Parameters,
  ): Promise<Fault>;
  all(): Promise<Fault[]>;
  clear(): Promise<void>;
  /** @throws ExpectationFailed unless each fault has acted as often as it was to. */
  assertAllFired(): Promise<void>;
}

export interface PhoneMessage extends Row {
  sid: string;
  direction: "received" | "sent";
  from: string;
  to: string[];
  body: string | null;
  status: string;
  conversationSid: string | null;
  /** Of a sent message: where it went, and why no conversation took it. */
  outcome: string | null;
  reason: string | null;
}

export interface PhoneMedia {
  content: string | Uint8Array;
  contentType: string;
  filename?: string;
}

export class Phones {
  private constructor();
  /** The phone of an address such as "+15550100" or "whatsapp:+15550100". */
  get(address: string): Phone;
  all(): Promise<Phone[]>;
}

export class Phone {
  private constructor();
  readonly address: string;
  /** Send to a number of the account, or several for a group; media as files or URLs. */
  send(message: {
    to: string | string[];
    body?: string;
    media?: string | PhoneMedia | (string | PhoneMedia)[];
    profileName?: string;
  }): Promise<PhoneMessage>;
  /** What it has received, the oldest first. */
  inbox(): Promise<PhoneMessage[]>;
  /** The first received message with these fields. */
  waitFor(
    fields?: Record<string, Expected>,
    options?: WaitOptions,
  ): Promise<PhoneMessage>;
  /** `{error: 30003}` makes messages to it undeliverable; else parameters of the API. */
  behave(behaviour: { error?: number } & Parameters): Promise<Row>;
  /** The person opens a received message (WhatsApp, RCS). */
  read(sid: string): Promise<PhoneMessage>;
  remove(): Promise<void>;
}

declare class RecordedList {
  private constructor();
  /** The rows that fit filters of the API. */
  all(filters?: Parameters): Promise<Row[]>;
  /** As soon as `count` rows fit. */
  waitFor(filters?: Parameters, options?: WaitOptions & { count?: number }): Promise<Row[]>;
}

/** What was committed. */
export class Events extends RecordedList {}
/** Attempts to deliver webhooks. */
export class WebhookAttempts extends RecordedList {}
/** REST calls and commands of client SDKs. */
export class Requests extends RecordedList {
  /** @throws ExpectationFailed, with the nearest call, unless it was called so often. */
  expect(
    operation: string,
    options?: {
      times?: number;
      form?: Record<string, Expected | string[] | boolean>;
      status?: number;
      timeout?: number;
    },
  ): Promise<Row[]>;
}

type Use<Value> = (value: Value) => Promise<void>;

/** For Playwright: `base.extend<ParlourFixtures, ParlourWorkerFixtures>(parlourFixtures)`. */
export interface ParlourFixtures {
  /** A new account, removed after the test. */
  account: Account;
  phones: Phones;
}
export interface ParlourWorkerFixtures {
  parlourOptions: StartOptions;
  /** A server for each worker, unless PARLOUR_URL names one. */
  parlour: Parlour;
}
export const parlourFixtures: {
  parlourOptions: [StartOptions, { option: true; scope: "worker" }];
  parlour: [
    (fixtures: { parlourOptions: StartOptions }, use: Use<Parlour>) => Promise<void>,
    { scope: "worker" },
  ];
  account: (fixtures: { parlour: Parlour }, use: Use<Account>) => Promise<void>;
  phones: (fixtures: { account: Account }, use: Use<Phones>) => Promise<void>;
};

/** For Vitest and Jest: start one server, and set PARLOUR_* for the workers. */
export function globalSetup(): Promise<(() => Promise<void>) | undefined>;
export function globalTeardown(): Promise<void>;

/** The API refused a request, or was not reached (`status` 0). */
export class ParlourError extends Error {
  readonly status: number;
  readonly code: number;
  readonly method: string;
  readonly path: string;
}
/** Work was left when the time was over. */
export class NotSettled extends Error {
  readonly waitingFor: string[];
  readonly now: string | undefined;
}
/** The server did not start. */
export class StartFailed extends Error {}
/** What was expected did not happen, or something else did. */
export class ExpectationFailed extends Error {}
