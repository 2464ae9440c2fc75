/** Media: what the files of the accounts take. */
import { html, Time } from "../kit.js";
import { columns } from "../parts/list.js";
import { Report, size } from "../parts/report.js";
import { Sid } from "../parts/values.js";

/** @param {any} value A bounded sum of files. */
const files = (value) => `${value.count.toLocaleString("en")}${value.at_least ? "+" : ""} files, ${size(value.bytes)}`;

/** @param {any} data @returns {FactList} */
const facts = (data) => [
	["Not attached to a message", files(data.unattached)],
	["Oldest of them", html`<${Time} at=${data.date_oldest_unattached} full />`],
	["Removed, not yet deleted", files(data.removed)],
	["Last sweep", html`<${Time} at=${data.date_last_sweep} full />`],
	["Disk", data.disk && `${size(data.disk.free_bytes)} free of ${size(data.disk.total_bytes)}`],
];

/** @param {any} data @returns {Section[]} */
const sections = (data) => [
	{
		title: "By account", none: "No account has media.", rows: data.accounts, keyOf: "account_sid",
		columns: columns(
			["Account", (row) => html`${row.friendly_name} <${Sid} sid=${row.account_sid} />`],
			["Files", (row) => row.count.toLocaleString("en"), "number"],
			["Bytes", (row) => `${size(row.bytes)}${row.at_least ? "+" : ""}`, "number"],
		),
	},
];

export default () => html`<${Report} title="Media" path="/parlour/v1/Operator/Media" facts=${facts} sections=${sections} />`;
