/** Conversations by last activity, beside the one that is open. */
import { call, get, useAction, useList, useLoad } from "../api.js";
import { Badge, Empty, go, href, html, Icon, listKeys, Skeleton, Time, Trouble } from "../kit.js";
import { route, useEffect, useQuery, useRef, useState, useStore } from "../kit.js";
import { startAt, useLive } from "../live.js";
import { empty } from "../words.js";

const ROWS_MAX = 500;
const SUMMARIES = "/parlour/v1/ConversationSummaries";
const TONES = /** @type {Record<string, "good" | "warn" | "soft">} */ ({ active: "good", inactive: "warn" });

/** @param {{state: string}} props */
export const State = ({ state }) => html`<${Badge} tone=${TONES[state] ?? "soft"}>${state}<//>`;

/** @param {Record<string, any>} row What a conversation is called. */
export const nameOf = (row) => row.friendly_name || row.unique_name || row.sid;

/** @param {{row: any, isOpen: boolean}} props */
function Item({ row, isOpen }) {
	const last = row.last_message;
	const query = Object.fromEntries(route.get().query);
	const people = row.participants_count;
	return html`<li>
		<a data-row=${row.sid} href=${href("conversations", [row.sid], { ...query, tab: "" })} aria-current=${isOpen ? "true" : undefined}>
			<span class="cut strong">${nameOf(row)}</span>
			<span class="small soft"><${Time} at=${row.last_activity ?? row.date_updated} /></span>
			<span class="second small">
				<span class="cut">${last ? `${last.author ?? ""}: ${last.body || (last.has_media ? "media" : "")}` : "no messages"}</span>
				<span class="push nowrap">${row.state !== "active" && html`<${State} state=${row.state} /> `}${people} ${people === 1 ? "person" : "people"}</span>
			</span>
		</a>
	</li>`;
}

/** The filters of the list; each is in the address. */
function Filters() {
	const [search, setSearch] = useQuery("search");
	const [state, setState] = useQuery("state");
	const [since, setSince] = useQuery("since");
	const value = (/** @type {any} */ event) => event.target.value;
	return html`<div class="filters">
		<input class="cut" type="search" aria-label="Identity or address of a participant" placeholder="Identity or address"
			value=${search} onChange=${(/** @type {any} */ event) => setSearch(value(event).trim())} />
		<select aria-label="State" value=${state} onChange=${(/** @type {any} */ event) => setState(value(event))}>
			<option value="">All states</option>
			${["active", "inactive", "closed"].map((each) => html`<option>${each}</option>`)}
		</select>
		<input type="date" aria-label="Created since" value=${since} onChange=${(/** @type {any} */ event) => setSince(value(event))} />
	</div>`;
}

/** The conversations of one participant, in the shape of summaries. */
async function ofParticipant(/** @type {string} */ search) {
	const isAddress = /^(\+|\w+:|.+@)/.test(search);
	const found = await get("/v1/ParticipantConversations", { [isAddress ? "Address" : "Identity"]: search, PageSize: 50 });
	const sids = found.conversations.map((/** @type {any} */ each) => each.conversation_sid);
	if (!sids.length) return [];
	return (await get(SUMMARIES, { Sid: sids.slice(0, 50) })).conversation_summaries;
}

/** Keep a list of summaries up to date: changed conversations are loaded again, and move up. */
function useSummaries() {
	const at = useStore(route);
	const [service, search, state, since] = ["service", "search", "state", "since"].map((name) => at.query.get(name) ?? "");
	const filters = { ServiceSid: service, State: state, StartDate: since };
	const given = Object.fromEntries(Object.entries(filters).filter(([, value]) => value));
	const list = useList(SUMMARIES, "conversation_summaries", { ...given, PageSize: 50 });
	const found = useLoad(async () => (search ? ofParticipant(search) : null), [search, at.account]);
	useEffect(() => startAt(list.data), [list.data?.askedAt]);
	useLive(async (events) => {
		if (!events) return list.reload();
		const sids = [...new Set(events.map((each) => each.conversation_sid).filter(Boolean))];
		for (let start = 0; start < sids.length; start += 50) {
			const part = sids.slice(start, start + 50);
			const { data } = await call("GET", SUMMARIES, { Sid: part });
			list.update((last) => merge(last, part, data.conversation_summaries, given));
		}
	});
	return search ? { ...found, rows: found.data ?? [], more: undefined } : list;
}

/**
 * @param {any} last
 * @param {string[]} sids
 * @param {any[]} fresh
 * @param {Record<string, string>} filters
 */
function merge(last, sids, fresh, filters) {
	const wanted = fresh.filter((row) => fits(row, filters, last));
	const rows = [...wanted, ...last.rows.filter((/** @type {any} */ row) => !sids.includes(row.sid))];
	rows.sort((one, other) => (one.last_activity < other.last_activity ? 1 : -1));
	return { ...last, rows: rows.slice(0, Math.max(ROWS_MAX, last.rows.length)) };
}

/**
 * Whether a conversation belongs into a list with these filters.
 * @param {any} row
 * @param {Record<string, string>} filters
 * @param {any} last
 */
function fits(row, { ServiceSid, State: state, StartDate }, last) {
	const service = ServiceSid ?? last.rows[0]?.chat_service_sid ?? row.chat_service_sid;
	return row.chat_service_sid === service && (!state || row.state === state) && (!StartDate || row.date_created >= StartDate);
}

function NewConversation() {
	const [isOpen, open] = useState(false);
	const service = useStore(route).query.get("service");
	const path = service ? `/v1/Services/${service}/Conversations` : "/v1/Conversations";
	const create = useAction(async (/** @type {string} */ name) => {
		const { data } = await call("POST", path, { FriendlyName: name });
		open(false);
		go(href("conversations", [data.sid]));
	});
	const submit = (/** @type {any} */ event) => {
		event.preventDefault();
		void create.run(event.target.elements.name.value);
	};
	if (!isOpen) return html`<button class="small push" onClick=${() => open(true)}><${Icon} name="plus" />New</button>`;
	return html`<form class="row wide" onSubmit=${submit}>
		<input name="name" aria-label="Name of the conversation" placeholder="Name" autofocus />
		<button class="primary" disabled=${create.isRunning}>Create</button>
		<${Trouble} problem=${create.problem} />
	</form>`;
}

/** The open conversation, which is loaded when one is opened for the first time. */
function Detail(/** @type {{sid: string}} */ { sid }) {
	const part = useLoad(() => import("./conversation.js"), []);
	if (part.error) return html`<${Trouble} problem=${part.error} />`;
	return part.data ? html`<${part.data.default} key=${sid} sid=${sid} />` : null;
}

export default function Conversations() {
	const at = useStore(route);
	const list = useSummaries();
	const side = useRef(null);
	const [sid] = at.rest;
	const isFiltered = ["search", "state", "since"].some((name) => at.query.get(name));
	const [title, next] = isFiltered ? empty.filtered : empty.conversations;
	return html`<div class="split ${sid ? "open" : ""}">
		<section class="side" aria-label="List of conversations">
			<header class="head"><h1>Conversations</h1><${NewConversation} /></header>
			<${Filters} />
			<div class="scroll" ref=${side}>
				<${Trouble} problem=${list.error} retry=${list.reload} />
				${list.isLoading && !list.data && html`<${Skeleton} lines=${10} />`}
				${list.data && !list.rows.length && html`<${Empty} title=${title}>${next}<//>`}
				<ul class="items" onKeyDown=${listKeys}>
					${list.rows.map((/** @type {any} */ row) => html`<${Item} key=${row.sid} row=${row} isOpen=${row.sid === sid} />`)}
				</ul>
				${list.more && html`<p class="more"><button onClick=${list.more}>Load more</button></p>`}
			</div>
		</section>
		<section class="detail" aria-label="Conversation">
			${sid ? html`<${Detail} sid=${sid} />` : html`<${Empty} title="Choose a conversation"><p>Its messages, participants, webhooks and timers are shown here.</p><//>`}
		</section>
	</div>`;
}
