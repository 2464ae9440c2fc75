/** What was committed in one conversation, newest first. */
import { get, useLoad } from "../../api.js";
import { href, html } from "../../kit.js";
import { useLive } from "../../live.js";
import { columns, Table, timeOf } from "../../parts/table.js";
import { conversation as words } from "./words.js";

const ROWS_MAX = 500;

const COLUMNS = columns(
	["Time", timeOf("date"), "nowrap"],
	["Event", (row) => html`<a href=${href("events", [row.cursor])}>${row.event_type}</a>`],
	["By", (row) => row.client_identity ?? row.source],
	["About", ({ parameters: given, subject_sid: sid }) => given?.Body ?? given?.StateTo ?? given?.Status ?? given?.Identity ?? sid, "wide"],
);

/** @param {{row: any}} props */
export default function Events({ row }) {
	const keyOf = (/** @type {any} */ each) => each.cursor;
	const list = useLoad(async () => {
		let rows = /** @type {any[]} */ ([]);
		let part = { events: [], after: "start", is_more: true };
		while (part.is_more) {
			part = await get("/parlour/v1/Events", { ConversationSid: row.sid, After: part.after, PageSize: ROWS_MAX });
			rows = [...part.events.reverse(), ...rows].slice(0, ROWS_MAX);
		}
		return rows;
	}, [row.sid]);
	useLive((events) => {
		if (!events) return list.reload();
		const ours = events.filter((each) => each.conversation_sid === row.sid).reverse();
		list.update((last) => [...ours.filter((one) => !last.some((each) => each.cursor === one.cursor)), ...last].slice(0, ROWS_MAX));
	});
	return html`<div class="body scroll"><${Table} label="Events" columns=${COLUMNS} rows=${list.data ?? []} list=${list}
		keyOf=${keyOf} none=${words.noEvents} /></div>`;
}
