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
};

export const sentences = {
	lost: (/** @type {string} */ time) => `Not live since ${time}, trying again`,
	live: "Live: changes appear as they are committed",
	connecting: "Connecting to the stream of events",
	off: "Not live: no account is chosen",
	signedOut: "You were signed out. What you typed is still here.",
	unknownPage: "There is no such page.",
	noTests: "This server does not run in test mode.",
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
