/** The sentences of the console, in one file. */

export const pages = {
	start: "Start",
	conversations: "Conversations",
	users: "Users",
	phones: "Phones",
	clients: "Clients",
	webhooks: "Webhooks",
	requests: "Requests",
	events: "Events",
	test: "Test",
	settings: "Settings",
	health: "Health",
	queues: "Queues",
	accounts: "Accounts",
	media: "Media",
	audit: "Audit",
	sessions: "Sessions",
	server: "Server settings",
};

/** Of each list: what is said when it is empty, and the next step. */
export const empty = {
	conversations: [
		"No conversations yet",
		"Create one here, or let your program create one: it appears at once.",
	],
	filtered: ["Nothing matches these filters", "Widen or clear them."],
	messages: ["No messages yet", "Write the first one below."],
	participants: ["Nobody is in this conversation", "Add a chat user or an address."],
	scoped: ["No webhooks of its own", "Those of the account and the service fire as well."],
	attempts: ["Nothing was sent yet", "Attempts appear here as webhooks fire."],
};

export const conversations = {
	choose: "Choose a conversation",
	chosen: "Its messages, participants, webhooks and timers are shown here.",
	people: (/** @type {number} */ count) => (count === 1 ? "1 person" : `${count} people`),
};

export const phones = {
	none: ["No phones yet", "Make one. An address that a conversation writes to has one, too."],
	silent: ["No messages", "What conversations send here appears at once. + writes the first one."],
	removal: "Its messages and media go with it. Conversations keep theirs.",
	noWebhooks: "No webhooks followed.",
	kinds: /** @type {Record<string, string>} */ ({ SM: "SMS", MM: "MMS", WA: "WhatsApp" }),
	channels: [["", "SMS, MMS"], ["whatsapp:", "WhatsApp"], ["rcs:", "RCS"], ["messenger:", "Messenger"]],
};
export const users = {
	none: ["No users yet", "Create one, or let a client sign in: its identity becomes a user."],
	unknown: "(reachability is off in this service)",
	removal: "Its participants in all conversations go with it. Its messages stay.",
};

export const forms = {
	once: "This secret is not kept in a readable form. Copy it now.",
	hints: /** @type {Record<string, string>} */ ({ Filters: "onMessageAdded is sent after a change; onMessageAdd asks before it." }),
};

export const sentences = {
	lost: (/** @type {string} */ time) => `Not live since ${time}, trying again`,
	live: "Live: changes appear as they are committed",
	connecting: "Connecting to the stream of events",
	off: "Not live: no account is chosen",
	unknownPage: "There is no such page.",
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
	lead: "Only the base URL and the credentials differ from the hosted service. The auth token was shown when the account was made; an API key (Settings) is good as well.",
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

export const requests = {
	empty: ["No requests yet", "Each call of your program is listed here with its parameters and its answer."],
	production: "Outside test mode the journal holds no parameters and no answers.",
	filters: [
		["operation", "Operation"],
		["status", "Status"],
		["code", "Error code"],
		["identity", "Identity"],
		["conversation", "Conversation SID"],
	],
	again: "This request changes data. Run it again?",
};

export const events = {
	types: "onMessageAdded onMessageUpdated onMessageRemoved onConversationAdded onConversationUpdated onConversationRemoved onConversationStateUpdated onParticipantAdded onParticipantUpdated onParticipantRemoved onDeliveryUpdated onUserAdded onUserUpdated".split(" "),
	empty: ["Nothing was committed yet", "Create a conversation, or let your program do it: each change is an event."],
};

export const queues = {
	sinks: "No sink has read the log yet.",
	webhooks: "No webhook waits.",
	carriers: "No message waits for a carrier.",
	jobs: "No job is planned.",
	removals: "Nothing is being removed.",
};

export const server = { lead: "Settings belong to the start of the server: change them there, and start again." };

export const health = {
	noBackup: "not known to this server",
	states: { ok: "All is well", warning: "Worth a look", error: "Needs action" },
};

export const audit = { empty: ["Nothing was changed through the console", "Each change by an operator or an account is listed here."] };

export const accounts = {
	typed: "That is not the SID of the account.",
	asks: {
		Suspend: "Its programs are refused until it is reopened. Nothing is lost.",
		Reopen: "Its programs are served again.",
		Close: "Its programs, keys and sessions end at once, and it cannot be reopened.",
		"New key": "An API key signs in like the account, and can be revoked alone.",
		"New account": "An account with its own data, credentials and limits.",
	},
};

export const clock = {
	settled: "There, and all is done.",
	unsettled: "There, but work goes on:",
	nothing: "Nothing was due.",
	none: "Nothing is due.",
	kinds: { timers: "timers of conversations", webhooks: "webhooks", carriers: "messages to carriers", tokens: "tokens that end", virtual_phone_reports: "reports of phones" },
};

export const faults = {
	none: "No fault is armed: the server behaves.",
	presets: /** @type {[string, Record<string, string>][]} */ ([
		["429 twice", { Target: "request", Times: "2", Status: "429", RetryAfter: "1" }],
		["Lost answer", { Target: "request", Phase: "after", Drop: "true" }],
		["Slow: 2 s", { Target: "request", DelayMs: "2000", Times: "0" }],
		["Drop my sockets", { Target: "socket", Drop: "true" }],
	]),
};

export const seeds = {
	drop: "Drop a file here, choose one, or write it. It is checked as a whole: a mistake changes nothing.",
	example: 'parlour: 1\nconversations:\n  - {key: order, friendly_name: "Order 4711"}',
	none: "No snapshot is there. Take one before a test, and restore it after.",
	restore: "All data of now is replaced by that of the snapshot.",
	reset: "All conversations, messages, users, phones and settings of this account go. Credentials stay.",
};

export const emulation = [
	["actions_per_second", "Actions per second (0: no limit)"],
	["unknown_parameters", "Unknown parameters"],
	["webhook_retries", "Retries of webhooks"],
	["token_clock", "Clock of tokens"],
	["latency_ms", "Delay of each answer, ms"],
];

export const triggers = { lead: "A click makes the event happen through the operation that has it. What it needs is made, if you name nothing." };

export const settings = {
	tabs: {
		account: "Account",
		service: "Service",
		services: "Services",
		addresses: "Addresses",
		roles: "Roles",
		keys: "API keys",
		templates: "Content templates",
		credentials: "Push credentials",
	},
	titles: {
		UpdateConfiguration: "Defaults",
		UpdateConfigurationWebhook: "Webhooks of the account",
		UpdateWebhookRetries: "Retries of webhooks",
		UpdateServiceConfiguration: "Roles and reachability",
		UpdateServiceWebhookConfiguration: "Webhooks of the service",
		UpdateServiceNotification: "Push notifications",
	},
	none: "There is none yet.",
	gone: {
		services: "Its conversations, users, roles and settings go with it.",
		addresses: "Messages to this address open no conversation any more.",
		roles: "A role that somebody has cannot be deleted.",
		keys: "Programs and tokens that use this key are refused at once.",
		templates: "Messages that were sent with it stay.",
		credentials: "Bindings that use it get no notifications any more.",
	},
};

const RANKS = ["First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth", "Tenth"];

/** @type {Record<number, string>} */
const REFUSALS = {
	400: " Twilio's middleware answers 400 if the signature is missing.",
	403: " Twilio's middleware answers 403 if the signature is wrong: see the signature help.",
	410: " 410 is final: this delivery is stopped.",
};

export const webhooks = {
	tabs: /** @type {[string, string][]} */ ([["attempts", "Attempts"], ["receivers", "Targets and endpoints"]]),
	outcomes: /** @type {Record<string, "good" | "warn" | "bad">} */ ({
		delivered: "good", retrying: "warn", failed: "bad", stopped: "bad", dropped: "bad", rejected: "warn", unreadable: "bad",
	}),
	events: [...events.types, ...events.types.flatMap((name) => (/State|Delivery|UserAdded/.test(name) ? [] : name.replace(/ed$/, "").replace(/(Remov|Updat)$/, "$1e")))],
	filters: [["conversation", "Conversation SID"], ["since", "From", "datetime-local"], ["until", "To", "datetime-local"]],
	parameters: { outcome: "Outcome", event: "EventType", conversation: "ConversationSid", since: "Since", until: "Until" },
	none: ["No webhook was sent yet", "Set a URL under Settings. Changes through REST fire webhooks only with the header X-Twilio-Webhook-Enabled: true."],
	gone: "The request is not kept any more.",
	answer: (/** @type {any} */ { response, elapsed_ms, error, error_code }) =>
		response ? `${response.status} in ${elapsed_ms} ms` : `${error ?? "no request"}${error_code ? ` (${error_code})` : ""}`,
	result(/** @type {any} */ { response, elapsed_ms, error, outcome }) {
		if (outcome === "dropped") return "Not sent: too many deliveries were waiting.";
		if (outcome === "unreadable") return "Not sent: this version cannot read the event.";
		if (!response) return error ? `No answer after ${elapsed_ms} ms: ${error}.` : "Stopped: the webhook was removed.";
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
	all: "all",
	targets: "Webhooks of a conversation are here once one was sent. All of them: in its tab Webhooks.",
	noTargets: ["No webhooks are configured", "Set a URL under Settings, or add a webhook to a conversation."],
	noEndpoints: ["Nothing waits, and nothing was sent", "An endpoint appears with its first delivery."],
	signed: "The text that is signed: the URL, then each parameter's name and value, sorted by name.",
	paste: "What did your validator see?",
	why: /** @type {Record<string, string>} */ ({
		scheme: "The scheme differs. Behind a proxy that ends TLS, take it from X-Forwarded-Proto.",
		host: "The host differs. Behind a proxy, take the host that is configured here.",
		port: "The port differs. The port that is configured is signed. Twilio's libraries try both; an own validator has to.",
		slash: "Only the slash at the end differs: a router added or removed it.",
		path: "The path differs. A proxy rewrites it, or a mounted router sees only its part.",
		twice: "The URL has its query twice: it was added to a URL that had it.",
		query: "The query differs. It counts byte for byte, not parsed and encoded again.",
		retry: "RetryCount differs: this is another attempt of the delivery.",
		extra: "A parameter was not in the body. If it is in the query, it counts twice. Underscores are dots that PHP replaced.",
		missing: "A parameter is missing: the parser drops empty values, or PHP replaced its dot by an underscore.",
		trimmed: "White space was cut off: a framework trims fields before the validator sees them.",
		encoded: "The value differs: the body was parsed and encoded again, or decoded twice.",
		token: "The signature is not that of this attempt with today's auth token: another token, or another request.",
		same: "All is as it was sent. If the validator refuses, it has another auth token.",
	}),
};
