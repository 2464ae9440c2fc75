/** The sentences of the parts of a conversation, which are loaded with it. */
import { conversations, by } from "../../words.js";

export const conversation = {
	recipients: (/** @type {number} */ count) => (count === 1 ? "1 recipient" : `${count} recipients`),
	unique: "May stand for the SID in paths; unique in its service.",
	becomes: by({
		active: "Its timers start again.",
		inactive: "It becomes active again with the next message.",
	}),
	close: "This is final: a closed conversation takes no messages and no changes. Addresses are free for others.",
	closed: "This conversation is closed: it can be read and deleted only.",
	mayNot: "You may read, but not change anything.",
	removal: (/** @type {any} */ row) => {
		const messages = row?.messages_count === 1 ? "1 message" : `${row?.messages_count ?? "all"} messages`;
		return `Messages with their media, participants and webhooks of its own go: ${messages}, ${conversations.people(row?.participants_count ?? 0)}. This cannot be undone.`;
	},
	leaves: "Messages stay. Who was removed sees the conversation no more, and an address is free for others.",
	unhooked: "Nothing more is sent to it.",
	unsaid: "The text, its media and receipts go, for everybody. This cannot be undone.",
	durations: "ISO 8601 durations: PT10M, PT1H, P1D. PT0S removes a timer.",
	noTimer: "No timer is set.",
	identity: "Of a chat user. Or an address:",
	address: "+15550100, whatsapp:+15550100, …",
	proxy: "Your number, which writes to the address: +15550999, whatsapp:+15550999, …",
	projected: "For group texting: the number under which a chat user is seen.",
	targets: "trigger: messages with certain words; studio: a flow.",
	fires: "Webhooks fire, as for a client's message",
	silent: "Silent: no webhook fires",
	hidden: "Texts are hidden from you.",
	noReceipts: "No carrier has reported yet.",
	noEvents: ["No events are left", "Events are deleted 72 hours after all webhooks were sent."],
	otherCode: "The carrier's reason",
	codes: by({
		21211: "The number is malformed", 21408: "This region is not allowed", 21610: "The recipient unsubscribed",
		21612: "Not reachable from this sender", 21614: "Not a mobile number", 21617: "The text is too long",
		30001: "The queue at the carrier is full", 30002: "The account was suspended", 30003: "The phone is off or out of reach",
		30004: "The carrier or the phone blocks it", 30005: "The number is unknown", 30006: "A landline, or an unreachable carrier",
		30007: "Filtered as unwanted", 30008: "The carrier gave no reason", 30034: "The sender is not registered",
		63003: "The channel does not know the recipient", 63005: "The channel refused the content", 63016: "Outside the allowed window: use a template",
		63019: "The channel could not fetch the medium", 63024: "The channel refuses the recipient",
		63032: "WhatsApp does not deliver to this user", 63033: "The recipient blocked the sender",
	}),
};
