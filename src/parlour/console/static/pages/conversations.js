/** Conversations by last activity, beside the one that is open. */
import { get, Later, mayChange, useList, useLoad } from "../api.js";
import { Badge, Empty, go, href, html, listKeys, route, Skeleton, Time, Trouble, useEffect, useElement, useField, useFilters, useMemo, useState, useStore, Whole } from "../kit.js";
import { startAt, useLive, useRefresh } from "../live.js";
import { conversations as words, empty } from "../words.js";

const ROWS_MAX = 500;
const SIDS_MAX = 50;
const KEY = "conversation_summaries";
const SUMMARIES = "/parlour/v1/ConversationSummaries";
const FILTERS = { service: "ServiceSid", state: "State", since: "StartDate", until: "EndDate" };
const TONES = /** @type {Record<string, "good" | "warn" | "soft">} */ ({ active: "good", inactive: "warn" });

/** @param {{state: string}} props */
export const State = ({ state }) => html`<${Badge} tone=${TONES[state] ?? "soft"}>${state}<//>`;

/** @param {Record<string, any>} row What a conversation is called. */
export const nameOf = (row) => row.friendly_name || row.unique_name || row.sid;

/** @param {string[]} rest The address of a conversation, or of the list; the filters stay. */
export const toConversation = (...rest) =>
	href("conversations", rest, { ...Object.fromEntries(route.get().query), tab: "", message: "" });

/** @param {string} name @param {string} [service] The path of a collection, of a service if given. */
export const inService = (name, service) => `/v1${service ? `/Services/${service}` : ""}/${name}`;

/** @param {ItemProps} props */
function Item({ row, isOpen, isFirst }) {
	const last = row.last_message;
	return html`<li>
		<a data-row=${row.sid} href=${toConversation(row.sid)} tabindex=${isOpen || isFirst ? 0 : -1} aria-current=${isOpen ? "true" : undefined}>
			<span class="cut strong">${nameOf(row)}</span>
			<span class="small soft"><${Time} at=${row.last_activity} /></span>
			<span class="second small">
				<span class="cut">${last ? `${last.author ?? ""}: ${last.body || (last.has_media ? "media" : "…")}` : "No messages"}</span>
				<span class="push nowrap">${row.state !== "active" && html`<${State} state=${row.state} /> `}${words.people(row.participants_count)}</span>
			</span>
		</a>
	</li>`;
}

/** @param {{name: string, label: string, options?: string[]}} props A filter, in the address. */
function Filter({ name, label, options }) {
	const field = useField(name);
	if (options)
		return html`<select ...${field} aria-label=${label}><option value="">Any state</option>
			${options.map((each) => html`<option>${each}</option>`)}</select>`;
	return name === "search"
		? html`<input ...${field} type="search" aria-label=${label} title=${label} placeholder=${label} />`
		: html`<label class="row small soft">${label}<input ...${field} type="date" /></label>`;
}

/** @param {string} text @param {string} service The summaries of a participant, or of a unique name. */
async function find(text, service) {
	const by = /^(\+|\w+:|.+@)/.test(text) ? "Address" : "Identity";
	const [found, named] = await Promise.all([
		get(inService("ParticipantConversations", service), { [by]: text, PageSize: SIDS_MAX - 1 }),
		get(`${inService("Conversations", service)}/${encodeURIComponent(text)}`).catch(() => null),
	]);
	const Sid = found.conversations.map((/** @type {any} */ each) => each.conversation_sid);
	if (named) Sid.unshift(named.sid);
	return Sid.length ? (await get(SUMMARIES, { Sid }))[KEY] : [];
}

/** @param {() => boolean} isHeld The list follows the events; while it is held, rows stay in their places and new ones are counted. */
function useSummaries(isHeld) {
	const { query, account } = useStore(route);
	const given = useFilters(FILTERS);
	const search = query.get("search") ?? "";
	const list = useList(SUMMARIES, KEY, { ...given, PageSize: 50 });
	const found = useLoad(async () => (search ? find(search, given.ServiceSid) : null), [search, account]);
	const [held, hold] = useState(/** @type {Map<string, number> | null} */ (null));
	const [fresh, setFresh] = useState(/** @type {string[]} */ ([]));
	const show = () => {
		hold(null);
		setFresh([]);
	};
	useEffect(() => startAt(list.data), [list.data?.cursor]);
	// A newcomer begins elsewhere.
	useEffect(() => {
		if (list.data && !list.rows.length && history.state === "first") go(href("start"), { replace: true });
	}, [list.data]);
	const touch = useRefresh(async (sids) => {
		for (let start = 0; start < sids.length; start += SIDS_MAX) {
			const Sid = sids.slice(start, start + SIDS_MAX);
			const rows = /** @type {any[]} */ ((await get(SUMMARIES, { Sid }))[KEY]);
			if (isHeld()) {
				hold((last) => last ?? new Map(list.rows.map((row, place) => [row.sid, place])));
				setFresh((last) => [...new Set([...last, ...rows.map((row) => row.sid)])]);
			} else show();
			list.update((last) => ({ ...last, rows: merge(last.rows, Sid, rows, given) }));
			found.update((last) => last?.map((/** @type {any} */ old) => rows.find((row) => row.sid === old.sid) ?? old));
		}
	}, 30);
	useLive((events) => {
		if (!events || events.some((each) => each.event_type.startsWith("onParticipant"))) found.reload();
		if (events) return touch(events.map((each) => each.conversation_sid).filter(Boolean));
		list.reload();
	});
	if (search) return { ...found, rows: found.data ?? [], more: undefined, count: 0, show };
	if (!held) return { ...list, count: 0, show };
	const placeOf = (/** @type {any} */ row) => held.get(row.sid) ?? Infinity;
	const rows = list.rows.filter((row) => held.has(row.sid) || !fresh.includes(row.sid));
	return { ...list, rows: rows.sort((one, other) => placeOf(one) - placeOf(other) || 0), count: fresh.length, show };
}

/** @param {any[]} old @param {string[]} sids What changed. @param {any[]} rows What it is now. @param {Record<string, string>} filters */
function merge(old, sids, rows, { ServiceSid, State: state, StartDate = "", EndDate = "~" }) {
	const service = ServiceSid ?? old[0]?.chat_service_sid;
	const fits = (/** @type {any} */ row) => (!service || row.chat_service_sid === service) && (!state || row.state === state) &&
		row.date_created >= StartDate && row.date_created.slice(0, EndDate.length) <= EndDate;
	return [...rows.filter(fits), ...old.filter((row) => !sids.includes(row.sid))]
		.sort((one, other) => (one.last_activity < other.last_activity ? 1 : -1))
		.slice(0, Math.max(ROWS_MAX, old.length));
}

const detail = () => import("./conversation.js");
const creation = () => import("./conversation/new.js");

export default function Conversations() {
	const { query, rest: [sid] } = useStore(route);
	const side = useElement();
	const isHeld = () => side.current !== null && (side.current.scrollTop > 40 || side.current.contains(document.activeElement));
	const list = useSummaries(isHeld);
	const rows = /** @type {any[]} */ (list.rows);
	// A row is drawn again when it has changed, not with each of the others.
	const drawn = useMemo(() => new WeakMap(), [query, sid]);
	const draw = (/** @type {any} */ row, /** @type {number} */ place) => {
		if (!drawn.has(row)) drawn.set(row, html`<${Whole} key=${row.sid} row=${row}><${Item} row=${row} isOpen=${row.sid === sid} isFirst=${!place} /><//>`);
		return drawn.get(row);
	};
	const [hasDates, showDates] = useState(query.has("since") || query.has("until"));
	const isFiltered = ["search", ...Object.keys(FILTERS)].some((name) => query.get(name));
	const [title, next] = isFiltered ? empty.filtered : empty.conversations;
	const onScroll = (/** @type {any} */ { target }) => {
		if (list.count && !isHeld()) list.show();
		if (target.scrollHeight - target.scrollTop < target.clientHeight + 400) void list.more?.();
	};
	const toTop = () => {
		list.show();
		side.current?.scrollTo(0, 0);
	};
	return html`<div class="split ${sid ? "open" : ""}">
		<section class="side" aria-label="List of conversations">
			<header class="head"><h1>Conversations</h1>${mayChange() && html`<${Later} load=${creation} service=${query.get("service")} />`}</header>
			<div class="filters pairs">
				<${Filter} name="search" label="Identity or address" />
				<${Filter} name="state" label="State" options=${["active", "inactive", "closed"]} />
				<button aria-expanded=${hasDates} onClick=${() => showDates(!hasDates)}>Dates</button>
				${hasDates && html`<${Filter} name="since" label="from" /><${Filter} name="until" label="to" />`}
			</div>
			<div class="scroll" ref=${side} onScroll=${onScroll}>
				${list.count > 0 && html`<button class="pill" onClick=${toTop}>${list.count} new</button>`}
				<${Trouble} of=${list} />
				${list.isLoading && !list.data && html`<${Skeleton} lines=${10} />`}
				${list.data && !rows.length && html`<${Empty} title=${title}>${next}<//>`}
				<ul class="items" onKeyDown=${listKeys}>
					${rows.map(draw)}
				</ul>
			</div>
		</section>
		<section class="detail" aria-label="Conversation">
			${sid ? html`<${Later} load=${detail} key=${sid} sid=${sid} />` : html`<${Empty} title=${words.choose}>${words.chosen}<//>`}
		</section>
	</div>`;
}
