/** What was committed in one conversation, newest first. */
import { get, useLoad } from "../../api.js";
import { href, html } from "../../kit.js";
import { useLive } from "../../live.js";
import { Table } from "../../parts/list.js";
import { columnsOf } from "../events.js";
import { conversation as words } from "./words.js";

const ROWS_MAX = 500;
const COLUMNS = columnsOf((row) => href("events", [row.cursor])).slice(0, 4);

/** @param {{row: any}} props */
export default function Events({ row }) {
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
	return html`<div class="body scroll"><${Table} label="Events" columns=${COLUMNS} rows=${list.data ?? []} list=${list} keyOf="cursor" none=${words.noEvents} /></div>`;
}
