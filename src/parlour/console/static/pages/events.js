/** Events: what was committed, newest first, live. */
import { useList } from "../api.js";
import { href, html, route, Time, useEffect, useFilters, useRef, useState, useStore, within } from "../kit.js";
import { startAt, useLive } from "../live.js";
import { Choice, columns, Filter, Panel, Table, timeOf } from "../parts/list.js";
import { Json, Sid } from "../parts/values.js";
import { events as words } from "../words.js";

const ROWS_MAX = 500;

/** @param {any} event Where its subject is shown. */
export function subjectOf({ conversation_sid: conversation, subject_sid: sid }) {
	if (sid.startsWith("US")) return href("users", [sid]);
	return conversation ? href("conversations", [conversation]) : "";
}

/** @param {any} event What it is about, in few words. */
function gist({ parameters: given }) {
	return given.Body ?? given.Identity ?? given.FriendlyName ?? given["MessagingBinding.Address"] ?? given.StateTo ?? given.Status ?? "";
}

/** @param {(row: any) => string} hrefOf */
export const columnsOf = (hrefOf) => columns(
	["Time", timeOf("date"), "nowrap"],
	["Event", (row) => html`<a href=${hrefOf(row)}>${row.event_type}</a>`],
	["About", (row) => String(gist(row)).slice(0, 120), "wide"],
	["By", (row) => row.client_identity ?? row.source],
	["Conversation", ({ conversation_sid: sid }) => sid && html`<a href=${href("conversations", [sid])}><code>${sid.slice(0, 10)}…</code></a>`],
);

/** @param {{event: any}} props */
function Detail({ event }) {
	const subject = subjectOf(event);
	const since = { since: new Date(Date.parse(event.date) - 1).toISOString() };
	return html`<${Panel} title=${event.event_type} closeTo=${within("events")} row=${event.cursor}>
		<dl class="facts">
			<dt>Committed</dt><dd><${Time} at=${event.date} full /></dd>
			<dt>By</dt><dd>${event.source}${event.client_identity && ` (${event.client_identity})`}</dd>
			<dt>Subject</dt><dd><${Sid} sid=${event.subject_sid} full /></dd>
			<dt>Webhooks</dt><dd>${event.fires_webhooks ? "fired" : "not fired: the change was silent"}</dd>
		</dl>
		<p class="row">
			${subject && html`<a class="button" href=${subject}>Open the object</a>`}
			${event.request_sid && html`<a class="button" href=${href("requests", [event.request_sid])}>Its request</a>`}
			<a class="button" href=${href("webhooks", [], { ...since, event: event.event_type, conversation: event.conversation_sid })}>Webhooks since</a>
		</p>
		<${Json} value=${event.parameters} label="Parameters" />
	<//>`;
}

const toEvent = (/** @type {any} */ row) => within("events", row.cursor);
const COLUMNS = columnsOf(toEvent);

/** @param {Record<string, string>} given The rows, and what arrived while the list is scrolled. */
function useEvents(given) {
	const list = useList("/parlour/v1/Events", "events", { ...given, Order: "desc", PageSize: 50 });
	const [held, hold] = useState(/** @type {any[]} */ ([]));
	const isHeld = useRef(false);
	const add = (/** @type {any[]} */ events) =>
		list.update((last) => ({ ...last, rows: [...events.reverse(), ...last.rows].slice(0, Math.max(ROWS_MAX, last.rows.length)) }));
	useEffect(() => startAt(list.data), [list.data?.askedAt]);
	useLive((events) => {
		if (!events) return list.reload();
		const wanted = events.filter(
			(each) =>
				(!given.EventType || each.event_type === given.EventType) &&
				(!given.ConversationSid || each.conversation_sid === given.ConversationSid) &&
				(!given.Identity || each.client_identity === given.Identity),
		);
		if (isHeld.current) hold((last) => [...last, ...wanted].slice(-ROWS_MAX));
		else add(wanted);
	});
	const release = () => {
		add(held);
		hold([]);
	};
	return { list, held, release, isHeld };
}

export default function Events() {
	const { rest } = useStore(route);
	const { list, held, release, isHeld } = useEvents(useFilters({ type: "EventType", conversation: "ConversationSid", identity: "Identity" }));
	const shown = list.rows.find((row) => row.cursor === rest[0]);
	const onScroll = (/** @type {any} */ event) => (isHeld.current = event.target.scrollTop > 40);
	return html`<div class="beside ${shown ? "open" : ""}"><div class="page">
		<header class="head"><h1>Events</h1></header>
		<div class="filters">
			<${Choice} label="Type of event" name="type" options=${[["", "All types"], ...words.types]} />
			<${Filter} label="Conversation SID" name="conversation" />
			<${Filter} label="Identity" name="identity" />
		</div>
		<div class="body" onScroll=${onScroll}>
			${held.length > 0 && html`<button class="pill small" onClick=${release}>${held.length} new</button>`}
			<${Table} label="Events" columns=${COLUMNS} list=${list} keyOf="cursor"
				hrefOf=${toEvent} selected=${rest[0]}
				none=${words.empty} />
		</div></div>
		${shown && html`<${Detail} event=${shown} />`}
	</div>`;
}
