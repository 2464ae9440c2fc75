/** Lists that follow what comes, newest first, and where the objects that they name are shown. */
import { useList } from "../api.js";
import { Badge, href, html, route, useEffect, useFilters, useElement, useRef, useState } from "../kit.js";
import { webhooks as words } from "../words.js";
import { Choice, columns, Filter, Table, timeOf } from "./list.js";

const ROWS_MAX = 500;
const SCROLLED_PX = 40;

/** A list as `useList` has it; while a row is selected or it is scrolled, new ones wait for `show`. @param {Feed} feed */
export function useFeed({ path, name, filters, keyOf = "sid", selected, follow }) {
	const list = useList(path, name, { ...filters, PageSize: 50 });
	const [waiting, wait] = useState(/** @type {Row[]} */ ([]));
	const body = useElement();
	const without = (/** @type {Row[]} */ rows, /** @type {Row[]} */ known) => rows.filter((row) => !known.some((each) => each[keyOf] === row[keyOf]));
	const add = (/** @type {Row[]} */ rows) =>
		list.update((last) => ({ ...last, rows: [...without(rows, last.rows), ...last.rows].slice(0, Math.max(ROWS_MAX, last.rows.length)) }));
	const take = (/** @type {Row[]} */ rows) =>
		selected || (body.current?.scrollTop ?? 0) > SCROLLED_PX
			? wait((last) => [...without(rows, [...last, ...list.rows]), ...last].slice(0, ROWS_MAX))
			: add(rows);
	const latest = useRef(take);
	latest.current = take;
	useEffect(() => {
		const abort = new AbortController();
		wait([]);
		if (list.data) follow?.(list, (rows) => latest.current(rows), abort.signal);
		return () => abort.abort();
	}, [list.data?.askedAt]);
	const show = () => {
		add(waiting);
		wait([]);
	};
	const isHidden = waiting.some((row) => row[keyOf] === selected);
	// What is selected is a row of the list.
	useEffect(() => void (isHidden && show()), [isHidden]);
	return { ...list, waiting: without(waiting, list.rows), take, show, body };
}

/** @param {{list: any}} props The rows that wait. */
export const Pill = ({ list: { waiting = [], show } }) =>
	html`<div role="status">${waiting.length > 0 && html`<button class="pill" onClick=${show}>${waiting.length} new</button>`}</div>`;

/** @param {any[][]} fields Of filters: name in the address, label, parameter, and kind of field or choices. */
export const useAsked = (fields) => useFilters(Object.fromEntries(fields.map(([name, , parameter]) => [name, parameter])));

/** @param {{fields: any[][]}} props */
export const Filters = ({ fields }) => html`<div class="filters">${fields.map(([name, label, , kind]) =>
	Array.isArray(kind)
		? html`<${Choice} label=${label} name=${name} options=${[["", `${label}: all`], ...kind]} />`
		: html`<${Filter} name=${name} label=${label} kind=${kind} />`)}</div>`;

/** @param {any} props A list with its filters, and the panel of a row. */
export const ListPage = ({ title, fields, list, none, children, ...table }) => html`<div class="beside ${table.selected ? "open" : ""}">
	<div class="page">
		<header class="head"><h1>${title}</h1></header>
		<${Filters} fields=${fields} />
		<div class="body" ref=${list.body}>
			<${Pill} list=${list} />
			<${Table} label=${title} list=${list} none=${Object.keys(useAsked(fields)).length ? undefined : none} ...${table} />
		</div>
	</div>
	${children}
</div>`;

/** @param {string} sid @param {string | null} [conversation] Where an object is shown; empty: nowhere. */
export function toObject(sid, conversation) {
	if (sid.startsWith("US")) return href("users", [sid]);
	const of = sid.startsWith("CH") ? sid : conversation;
	return of ? href("conversations", [of], { IM: { message: sid }, MB: { tab: "participants" } }[sid.slice(0, 2)] ?? {}) : "";
}

// --- Attempts of webhooks

export const ATTEMPTS = "/parlour/v1/WebhookAttempts";

/** @param {Record<string, any>} [attempt] Its address, or that of the list; the filters stay. */
export function toAttempt(attempt) {
	const { page, query } = route.get();
	return href("webhooks", attempt ? [attempt.sid] : [], page === "webhooks" ? Object.fromEntries(query) : {});
}

export const ATTEMPT = columns(
	["Time", (row) => html`<a href=${toAttempt(row)}>${timeOf("date_created")(row)}</a>`, "nowrap"],
	["Outcome", ({ outcome }) => html`<${Badge} tone=${words.outcomes[outcome]}>${outcome}<//>`, "nowrap"],
	["Answer", words.answer],
	["Attempt", (row) => row.retry_count + 1, "number"],
	["Event", (row) => row.event_type, "nowrap"],
	["Receiver", (row) => row.request?.url ?? words.gone, "wide"],
);
