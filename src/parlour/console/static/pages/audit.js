/** Audit: who changed what through the console, newest first. */
import { useList } from "../api.js";
import { html, useFilters } from "../kit.js";
import { columns, Filter, sidOf, Table, timeOf } from "../parts/list.js";
import { Sid } from "../parts/values.js";
import { audit as words } from "../words.js";

/** @param {any} row The principal of a line or of a session. */
export const who = ({ principal, operator_name: name }) =>
	html`${name ?? ""} <${Sid} sid=${principal.name} /> <span class="soft">${principal.role}</span>`;

const COLUMNS = columns(
	["Time", timeOf("date", true), "nowrap"],
	["Who", who],
	["Operation", "operation"],
	["Subject", sidOf("subject_sid")],
	["Account", sidOf("account_sid")],
);

export default function Audit() {
	const filters = useFilters({ of: "AccountSid", principal: "Principal", operation: "Operation" });
	const list = useList("/parlour/v1/Operator/Audit", "audit", { ...filters, PageSize: 50 }, undefined, "-");
	return html`<div class="page">
		<header class="head"><h1>Audit</h1></header>
		<div class="filters">
			<${Filter} name="principal" label="Who" /><${Filter} name="operation" label="Operation" /><${Filter} name="of" label="Account SID" />
		</div>
		<div class="body"><${Table} label="Audit" columns=${COLUMNS} list=${list} none=${words.empty} /></div>
	</div>`;
}
