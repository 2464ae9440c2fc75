/** Audit: who changed what through the console, newest first. */
import { useList } from "../api.js";
import { html } from "../kit.js";
import { ListPage, useAsked } from "../parts/feed.js";
import { columns, sidOf, timeOf } from "../parts/list.js";
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
	const list = useList("/parlour/v1/Operator/Audit", "audit", { ...useAsked(words.filters), PageSize: 50 }, undefined, "-");
	return html`<${ListPage} title="Audit" fields=${words.filters} list=${list} columns=${COLUMNS} none=${words.empty} />`;
}
