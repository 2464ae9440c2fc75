/** The sentences of the console, in one file. */

/** @param {Row} names @returns {Row} Looked up by any name. */
export const by = (names) => names;

/** @param {string} page */
export const pageName = (page) => (page === "server" ? "Server settings" : page.charAt(0).toUpperCase() + page.slice(1));

/** Of each list: what is said when it is empty, and the next step. */
export const empty = {
	conversations: [
		"No conversations yet",
		"Create one here, or let your program create one: it appears at once.",
	],
	filtered: ["Nothing matches these filters", "Widen or clear them."],
	messages: ["No messages yet", "Write the first one below."],
	participants: ["Nobody is in this conversation", "Add a chat user or an address."],
	scoped: "None of its own. Those of the account and the service fire as well.",
	attempts: "Nothing was sent yet. Attempts appear here as webhooks fire.",
};

export const conversations = {
	choose: "Choose a conversation",
	chosen: "Its messages, participants, webhooks and timers are here.",
	people: (/** @type {number} */ count) => (count === 1 ? "1 person" : `${count} people`),
};

export const phones = {
	none: ["No phones yet", "Make one. An address that a conversation writes to has one, too."],
	silent: ["No messages", "What conversations send here appears at once. + writes the first one."],
	removal: "Its messages and media go with it. Conversations keep theirs.",
	noWebhooks: "No webhooks followed.",
	kinds: by({ SM: "SMS", MM: "MMS", WA: "WhatsApp" }),
	channels: [["", "SMS, MMS"], ["whatsapp:", "WhatsApp"], ["rcs:", "RCS"], ["messenger:", "Messenger"]],
};
export const users = {
	none: ["No users yet", "Create one, or let a client sign in: its identity becomes a user."],
	unknown: "unknown: reachability is off in this service",
	removal: "Its participants in all conversations go with it. Its messages stay.",
};

export const forms = {
	once: "This secret is not kept in a readable form. Copy it now.",
	hints: by({
		PreWebhookUrl: "Asked before a change", PostWebhookUrl: "Told after it",
		Filters: "Names ending in d follow a change; the others ask before it.",
		ActionsPerSecond: "0: no limit", Times: "0: until it is removed", DefaultInactiveTimer: "PT30M: 30 minutes",
	}),
};

export const sentences = {
	lost: (/** @type {string} */ time) => `Not live since ${time}, trying again`,
	live: "Live: changes appear as they are committed",
	connecting: "Connecting to the stream of events",
	off: "Not live: no account is chosen",
	unknownPage: "There is no such page.",
	undrawn: "This page could not be drawn",
};

/** The keys, for the page of help. */
export const keys = [
	["/", "search, or go to a SID"],
	["j  k", "next and previous row of a focused list (also arrows)"],
	["Enter", "open the row"],
	["Esc", "close the panel"],
	["[  ]", "previous and next tab"],
	["r", "replay the attempt, or run the request again"],
	["c", "copy the SID of what is open"],
	["?", "this list"],
];

export const start = {
	title: "Point your program here",
	lead: "Only the base URL and the credentials differ from the hosted service. The auth token was shown when the account was made; an API key is good as well.",
	keys: "Make a key",
	other: (/** @type {string} */ name) => `Another account gets requests: ${name}`,
	waiting: "Waiting for the first request …",
	came: "It works. The latest request:",
	/** @param {string} url @param {string} account @returns {[string, string][]} */
	snippets: (url, account) => [
		[
			"curl",
			`curl -u "${account}:$AUTH_TOKEN" "${url}/v1/Conversations" \\\n  -d FriendlyName="Order 4711"`,
		],
		[
			"Python",
			`client = Client("${account}", auth_token)\nclient.conversations.base_url = "${url}"\nclient.conversations.v1.conversations.create(friendly_name="Order 4711")`,
		],
		[
			"Node.js",
			`const client = twilio("${account}", authToken);\nclient.conversations.baseUrl = "${url}";\nawait client.conversations.v1.conversations.create({ friendlyName: "Order 4711" });`,
		],
	],
};

const CONVERSATION = ["conversation", "Conversation SID", "ConversationSid"];
const SINCE = ["since", "From", "Since", "datetime-local"];
const UNTIL = ["until", "To", "Until", "datetime-local"];
const TYPES = "onMessageAdded onMessageUpdated onMessageRemoved onConversationAdded onConversationUpdated onConversationRemoved onConversationStateUpdated onParticipantAdded onParticipantUpdated onParticipantRemoved onDeliveryUpdated onUserAdded onUserUpdated".split(" ");

export const requests = {
	empty: ["No requests yet", "Each call of your program is listed here with its parameters and its answer."],
	production: "Outside test mode the journal holds no parameters and no answers.",
	filters: [
		["source", "Source", "Source", [["rest", "REST"], ["sdk", "Clients"]]], ["operation", "Operation", "Operation"],
		["status", "Status", "Status"], ["code", "Error code", "Code"], ["identity", "Identity", "Identity"], CONVERSATION, SINCE, UNTIL,
	],
	again: "This request changes data. Run it again?",
};

export const events = {
	types: TYPES,
	filters: [
		["type", "Type of event", "EventType", TYPES], CONVERSATION, ["identity", "Identity", "Identity"], ["request", "Request SID", "RequestSid"], SINCE,
	],
	absent: "It is not in the list: clear the filters, or load more.",
	unsent: "None has this event.",
	empty: ["Nothing was committed yet", "Create a conversation, or let your program do it: each change is an event."],
};

export const queues = {
	sinks: "No sink has read the log yet.", webhooks: "No webhook waits.", carriers: "No message waits for a carrier.",
	jobs: "No job is planned.", removals: "Nothing is being removed.",
};

export const server = { lead: "Settings belong to the start of the server: change them there, and start again." };

export const health = {
	noBackup: "not known to this server",
	states: by({ ok: "All is well", warning: "Worth a look", error: "Needs action" }),
};

export const audit = {
	filters: [["principal", "Who", "Principal"], ["operation", "Operation", "Operation"], ["of", "Account SID", "AccountSid"]],
	empty: ["Nothing was changed through the console", "Each change by an operator or an account is listed here."] };

export const accounts = {
	typed: "That is not the SID of the account.",
	asks: by({
		Suspend: "Its programs are refused until it is reopened. Nothing is lost.",
		Reopen: "Its programs are served again.",
		Close: "Its programs, keys and sessions end at once, and it cannot be reopened.",
		"New key": "An API key signs in like the account, and can be revoked alone.",
		"New account": "An account with its own data, credentials and limits.",
	}),
};

export const clock = {
	settled: "There, and all is done.",
	unsettled: "There, but work goes on:",
	nothing: "Nothing was due.",
	none: "Nothing is due.",
	kinds: by({ timers: "timers of conversations", carriers: "messages to carriers" }),
	modes: [["system", "Real time"], ["frozen", "Freeze"], ["shifted", "Let it run from here"]],
};

export const faults = {
	none: "No fault is armed: the server behaves.",
	targets: [
		["request", "Requests", "Operation Method Path Source Identity Status Code RetryAfter DelayMs Phase Drop Truncate"],
		["socket", "Sockets", "Identity When Close Drop Refuse HoldMs ExpireToken"],
		["webhook", "Webhooks", "Url EventType Kind Status DelayMs Phase Timeout Drop Duplicate"],
		["carrier", "Carriers", "From To Channel Error DelayMs Receipts"],
	],
	common: "Times Skip Probability Name Scope",
	presets: [
		["429 twice", { Target: "request", Times: "2", Status: "429", RetryAfter: "1" }],
		["Lost answer", { Target: "request", Phase: "after", Drop: "true" }],
		["Slow: 2 s", { Target: "request", DelayMs: "2000", Times: "0" }],
		["Drop my sockets", { Target: "socket", Drop: "true" }],
	],
};

export const seeds = {
	drop: "Drop a file here, choose one, or write it. A mistake changes nothing.",
	example: 'parlour: 1\nconversations:\n  - {key: order, friendly_name: "Order 4711"}',
	none: "There is none yet: take one before a test, and restore it after.",
	restore: "All data of now is replaced by that of the snapshot.",
	reset: "All conversations, messages, users, phones and settings of this account go. Credentials stay.",
};

export const triggers = {
	lead: "Each makes its event happen through the operation that has it. What is not named is made.",
	nouns: ["Message", "Conversation", "Participant", "Delivery", "User"],
};

export const settings = {
	tabs: by({
		account: "Account", service: "Service", services: "Services", addresses: "Addresses",
		roles: "Roles", keys: "API keys", templates: "Content templates", credentials: "Push credentials",
	}),
	titles: by({
		UpdateConfiguration: "Defaults", UpdateConfigurationWebhook: "Webhooks of the account", UpdateWebhookRetries: "Retries of webhooks",
		UpdateServiceConfiguration: "Roles and reachability", UpdateServiceWebhookConfiguration: "Webhooks of the service",
		UpdateServiceNotification: "Push notifications",
	}),
	none: "There is none yet.",
	gone: by({
		services: "Its conversations, users, roles and settings go with it.",
		addresses: "Messages to this address open no conversation any more.",
		roles: "A role that somebody has cannot be deleted.",
		keys: "Programs and tokens that use this key are refused at once.",
		templates: "Messages that were sent with it stay.",
		credentials: "Bindings that use it get no notifications any more.",
	}),
};

const RANKS = ["First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth", "Tenth"];

const ERRORS = by({ connect: "no connection", dns: "the name has no address", timeout: "too slow", tls: "TLS failed", protocol: "not valid HTTP" });

const REFUSALS = by({
	400: " Twilio's middleware answers 400 if the signature is missing.",
	403: " Twilio's middleware answers 403 if the signature is wrong: see the signature help.",
	410: " 410 is final: this delivery is stopped.",
});

const OUTCOMES = by({
	delivered: "good", retrying: "warn", failed: "bad", stopped: "bad", dropped: "bad", rejected: "warn", unreadable: "bad",
});
const HOOKS = [...TYPES, ...TYPES.flatMap((name) => (/State|Delivery|UserAdded/.test(name) ? [] : name.replace(/ed$/, "").replace(/(Remov|Updat)$/, "$1e")))];

export const webhooks = {
	tabs: [["attempts", "Attempts"], ["receivers", "Targets and endpoints"]],
	outcomes: OUTCOMES,
	events: HOOKS,
	filters: [
		["outcome", "Outcome", "Outcome", Object.keys(OUTCOMES)], ["event", "Event", "EventType", HOOKS], CONVERSATION, SINCE, UNTIL,
	],
	none: ["No webhook was sent yet", "Set a URL. Changes through REST fire webhooks only with the header X-Twilio-Webhook-Enabled: true."],
	gone: "The request is not kept any more.",
	answer: (/** @type {any} */ { response, elapsed_ms, error, error_code }) =>
		response ? `${response.status} in ${elapsed_ms} ms` : `${error ? ERRORS[error.split(":")[0]] ?? error : "no request"}${error_code ? ` (${error_code})` : ""}`,
	result(/** @type {any} */ { response, elapsed_ms, error, outcome }) {
		if (outcome === "dropped") return "Not sent: too many deliveries were waiting.";
		if (outcome === "unreadable") return "Not sent: this version cannot read the event.";
		if (!response && !error) return "Stopped: the webhook was removed.";
		if (!response) {
			const [kind, reason] = error.split(": ");
			return `No answer after ${elapsed_ms} ms: ${ERRORS[kind] ?? kind}${reason ? ` (${reason})` : ""}.`;
		}
		const { status } = response;
		const answered = `the receiver answered ${status} after ${elapsed_ms} ms.`;
		if (status >= 200 && status < 300) return `Delivered: ${answered}`;
		return `Refused: ${answered}${REFUSALS[status] ?? (status < 400 ? " Redirects are not followed." : "")}`;
	},
	place(/** @type {any} */ { retry_count, attempts_max: all, outcome }) {
		const rank = RANKS[retry_count] ?? `${retry_count + 1}th`;
		if (outcome === "retrying") return all ? `${rank} of ${all} attempts` : `${rank} attempt`;
		return `${rank} attempt${/failed|stopped/.test(outcome) ? "; no other follows" : ""}`;
	},
	wasDelivered: "This event was delivered. Its receiver gets it again, with the same idempotency token.",
	replaying: "Waiting for the new attempt …",
	replayAll: (/** @type {string} */ attempts, /** @type {number} */ delivered) =>
		`${attempts} attempts match, ${delivered} of them of deliveries that arrived. Each delivery goes to its receiver once more, with the same idempotency token.`,
	sample: "One signed request with example parameters. It is not logged, and not tried again.",
	sampleFields: "Parameters as JSON; each replaces that of the example",
	before: "before the action",
	after: "after the event",
	kinds: by({ webhook: "after the event", trigger: "on its words", studio: "starts a flow" }),
	all: "all",
	targets: "Those of a conversation are here once one was sent; all are in its tab Webhooks.",
	noTargets: ["No webhooks are configured", "Set a URL, or add a webhook to a conversation."],
	noEndpoints: ["Nothing waits, and nothing was sent", "An endpoint appears with its first delivery."],
	signed: "The text that is signed: the URL, then each parameter's name and value, sorted by name.",
	paste: "What did your validator see?",
	why: by({
		scheme: "The scheme differs: behind a proxy that ends TLS, take it from X-Forwarded-Proto.",
		host: "The host differs. Behind a proxy, take the host that is configured here.",
		port: "The port differs: that of the configuration is signed. Twilio's libraries try both.",
		slash: "Only the slash at the end differs: a router added or removed it.",
		path: "The path differs: a proxy rewrites it, or a mounted router sees its part only.",
		twice: "The URL has its query twice: it was added to a URL that had it.",
		query: "The query differs: it counts byte for byte.",
		retry: "RetryCount differs: this is another attempt of the delivery.",
		extra: "A parameter was not in the body, but in the query, or PHP replaced its dot by an underscore.",
		missing: "A parameter is missing: the parser drops empty values, or PHP replaced its dot by an underscore.",
		trimmed: "White space was cut off: a framework trims fields.",
		encoded: "The value differs: the body was parsed and encoded again, or decoded twice.",
		token: "The signature is of another auth token, or of another request.",
		right: "With this URL the signature is right: behind a proxy, the validator has to use it.",
		same: "All is as it was sent: a validator that refuses has another auth token.",
	}),
};
