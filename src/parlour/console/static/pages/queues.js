/** Queues: what waits to leave the server, and who carries it. */
import { Badge, html, Time } from "../kit.js";
import { count, Report } from "../parts/report.js";
import { Sid } from "../parts/sid.js";
import { queues as words } from "../words.js";

/** @param {string} name @returns {any} */
const time = (name) => (/** @type {any} */ row) => html`<${Time} at=${row[name]} />`;
/** @param {string} name @returns {any} */
const text = (name) => (/** @type {any} */ row) => row[name] ?? "–";
/** @param {string} name @returns {any} */
const bounded = (name) => (/** @type {any} */ row) => count(row[name]);
const account = (/** @type {any} */ row) => html`<${Sid} sid=${row.account_sid} />`;

/** @param {any} row */
const links = ({ links: all }) =>
	all.map((/** @type {any} */ each) => html`<${Badge} tone=${each.is_up ? "good" : "bad"}>${each.name} ${each.is_up ? "up" : "down"}<//> ${each.detail} `);

/** @param {any} data @returns {import("../parts/report.js").Section[]} */
const sections = (data) => [
	{
		title: "Event log", none: words.sinks, rows: data.sinks, keyOf: (row) => row.name,
		columns: [
			{ label: "Sink", cell: text("name") },
			{ label: "Position", kind: "number", cell: text("position") },
			{ label: "Behind", kind: "number", cell: text("behind") },
			{ label: "Runs on", cell: (row) => (row.is_local ? "this node" : row.owner) ?? "–" },
		],
	},
	{
		title: "Webhooks", none: words.webhooks, rows: data.webhooks, keyOf: (row) => row.account_sid + row.url,
		columns: [
			{ label: "URL", kind: "wide", cell: text("url") },
			{ label: "Account", cell: account },
			{ label: "Waiting", kind: "number", cell: bounded("waiting") },
			{ label: "Conversations", kind: "number", cell: bounded("lanes") },
			{ label: "Oldest", cell: time("date_oldest") },
			{ label: "Next attempt", cell: time("date_next_attempt") },
		],
	},
	{
		title: "Messages to carriers", none: words.carriers, rows: data.carriers, keyOf: (row) => row.name,
		columns: [
			{ label: "Carrier", cell: (row) => row.name || "no route" },
			{ label: "Waiting", kind: "number", cell: bounded("waiting") },
			{ label: "Links", kind: "wide", cell: links },
		],
	},
	{
		title: "Jobs", none: words.jobs, rows: data.jobs, keyOf: (row) => row.name,
		columns: [
			{ label: "Job", cell: text("name") },
			{ label: "Next due", cell: time("date_due") },
		],
	},
	{
		title: "Removals in the background", none: words.removals, rows: data.removals, keyOf: (row) => row.kind + row.owner_sid,
		columns: [
			{ label: "What", cell: text("kind") },
			{ label: "Of", cell: (row) => html`<${Sid} sid=${row.owner_sid} />` },
			{ label: "Account", cell: account },
		],
	},
];

/** @param {any} data @returns {[string, any][]} */
const facts = (data) => [
	["Newest event", data.newest_event.toLocaleString("en")],
	["Received, not yet taken in", count(data.inbox.waiting)],
];

export default () => html`<${Report} title="Queues" path="/parlour/v1/Operator/Queues" facts=${facts} sections=${sections} />`;
