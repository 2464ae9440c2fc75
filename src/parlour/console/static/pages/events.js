/** Events: what was committed, newest first, live. */
import { get, useLoad } from "../api.js";
import { href, html, route, Skeleton, Time, useEffect, useKeys, useStore, Whole, within } from "../kit.js";
import { startAt, useLive } from "../live.js";
import { ATTEMPT, ListPage, toAttempt, toObject, useAsked, useFeed } from "../parts/feed.js";
import { columns, Panel, Table, timeOf } from "../parts/list.js";
import { Facts } from "../parts/report.js";
import { copyText, Json, Sid } from "../parts/values.js";
import { by, events as words } from "../words.js";

/** @param {any} event What it is about, in few words. */
function gist({ parameters }) {
	const given = parameters ?? {};
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

/** @param {any} props What it is, and the webhooks that it fired. */
function Event({ event }) {
	const { client_identity: identity, conversation_sid: conversation, request_sid: request, subject_sid: subject } = event;
	const sent = useLoad(() => get("/parlour/v1/WebhookAttempts", { EventCursor: event.cursor }), [event.cursor]);
	useKeys({ c: () => void copyText(subject) });
	const object = toObject(subject, conversation);
	return html`<${Facts} facts=${[
			["Committed", html`<${Time} at=${event.date} full />`],
			["By", `${event.source}${identity ? ` (${identity})` : ""}`],
			["Subject", html`<${Sid} sid=${subject} full />`],
			["Webhooks", event.fires_webhooks ? "fired" : "not fired: the change was silent"],
		]} />
		<p class="row">
			${object && html`<a class="button" href=${object}>Open the object</a>`}
			${request && html`<a class="button" href=${href("requests", [request])}>Its request</a>`}
		</p>
		${event.fires_webhooks && html`<section><h3>Webhooks</h3>
			<${Table} label="Webhooks of the event" columns=${ATTEMPT.slice(0, 4)} list=${sent} rows=${sent.data?.webhook_attempts ?? []}
				hrefOf=${toAttempt} none=${words.unsent} /></section>`}
		<${Json} value=${event.parameters} label="Parameters" />`;
}

const toEvent = (/** @type {any} */ row) => within("events", row.cursor);
const COLUMNS = columnsOf(toEvent);

/** @param {Record<string, string>} given Filters. @param {string} [selected] Events that match, live. */
export function useEvents(given, selected) {
	const list = useFeed({ path: "/parlour/v1/Events", name: "events", filters: { ...given, Order: "desc" }, keyOf: "cursor", selected });
	useEffect(() => startAt(list.data), [list.data?.askedAt]);
	const own = by({ EventType: "event_type", ConversationSid: "conversation_sid", Identity: "client_identity", RequestSid: "request_sid" });
	useLive((events) => {
		if (!events) return list.reload();
		list.take(events.filter((each) => Object.entries(given).every(([name, value]) => !own[name] || each[own[name]] === value)).reverse());
	});
	return list;
}

export default function Events() {
	const { rest: [cursor] } = useStore(route);
	const list = useEvents(useAsked(words.filters), cursor);
	const event = list.rows.find((row) => row.cursor === cursor);
	return html`<${ListPage} title="Events" fields=${words.filters} list=${list} columns=${COLUMNS} keyOf="cursor" hrefOf=${toEvent} selected=${cursor} none=${words.empty}>
		${cursor && html`<${Panel} title=${event?.event_type ?? "Event"} closeTo=${within("events")} row=${cursor}>
			${event ? html`<${Whole} as="div" row=${event}><${Event} key=${cursor} event=${event} /><//>` : list.data ? html`<p>${words.absent}</p>` : list.isLoading && html`<${Skeleton} />`}
		<//>`}
	<//>`;
}
