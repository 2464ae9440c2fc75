/** The settings of the server: the values, and where they came from. */
import { html } from "../kit.js";
import { columns } from "../parts/list.js";
import { Report } from "../parts/report.js";
import { server as words } from "../words.js";

/** @param {any} row */
const value = (row) =>
	row.is_secret ? (row.is_set ? "set, not shown" : "not set") : html`<code>${row.value || "–"}</code>`;

/** @param {any} data @returns {Section[]} */
const sections = (data) => [
	{
		title: "Settings", none: "", keyOf: "name",
		rows: [false, true].flatMap((isDefault) => data.settings.filter((/** @type {Row} */ row) => (row.source === "default") === isDefault)),
		columns: columns(
			["Option", (row) => html`<code title=${row.variable}>${row.option}</code>`],
			["Value", value],
			["From", "source"],
			["What it does", (row) => html`<span class="small soft">${row.description}</span>`, "wide"],
		),
	},
];

export default () => html`<${Report} title="Server settings" path="/parlour/v1/Operator/Settings" sections=${sections}>
	${() => html`<p class="soft">${words.lead}</p>`}
<//>`;
