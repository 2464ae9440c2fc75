/** Queues: what waits to leave the server, and who carries it. */
import { Badge, html } from "../kit.js";
import { columns, sidOf, timeOf } from "../parts/list.js";
import { count, Report } from "../parts/report.js";
import { queues as words } from "../words.js";

const account = sidOf("account_sid");

/** @param {any} row */
const links = ({ links: all }) =>
	all.map((/** @type {any} */ each) => html`<${Badge} tone=${each.is_up ? "good" : "bad"}>${each.name} ${each.is_up ? "up" : "down"}<//> ${each.detail} `);

/** @param {any} data @returns {Section[]} */
const sections = (data) => [
	{
		title: "Event log", none: words.sinks, rows: data.sinks, keyOf: "name",
		columns: columns(
			["Sink", "name"],
			["Position", "position", "number"],
			["Behind", "behind", "number"],
			["Runs on", (row) => (row.is_local ? "this node" : row.owner) ?? "–"],
		),
	},
	{
		title: "Webhooks", none: words.webhooks, rows: data.webhooks, keyOf: (row) => row.account_sid + row.url,
		columns: columns(
			["URL", "url", "wide"],
			["Account", account],
			["Waiting", ({ waiting }) => count(waiting), "number"],
			["Conversations", ({ lanes }) => count(lanes), "number"],
			["Oldest", timeOf("date_oldest")],
			["Next attempt", timeOf("date_next_attempt")],
		),
	},
	{
		title: "Messages to carriers", none: words.carriers, rows: data.carriers.filter((/** @type {any} */ each) => each.name || each.waiting.count), keyOf: "name",
		columns: columns(
			["Carrier", (row) => row.name || "no route"],
			["Waiting", ({ waiting }) => count(waiting), "number"],
			["Links", links, "wide"],
		),
	},
	{
		title: "Jobs", none: words.jobs, rows: data.jobs, keyOf: "name",
		columns: columns(
			["Job", (row) => row.name.replaceAll("_", " ")],
			["Next due", timeOf("date_due")],
		),
	},
	{
		title: "Removals in the background", none: words.removals, rows: data.removals, keyOf: (row) => row.kind + row.owner_sid,
		columns: columns(
			["What", "kind"],
			["Of", sidOf("owner_sid")],
			["Account", account],
		),
	},
];

/** @param {any} data @returns {FactList} */
const facts = (data) => [
	["Newest event", data.newest_event.toLocaleString("en")],
	["Received, not yet taken in", count(data.inbox.waiting)],
];

export default () => html`<${Report} title="Queues" path="/parlour/v1/Operator/Queues" facts=${facts} sections=${sections} />`;
