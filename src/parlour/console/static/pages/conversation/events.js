/** What was committed in one conversation, newest first. */
import { useList } from "../../api.js";
import { href, html } from "../../kit.js";
import { useLive } from "../../live.js";
import { Table } from "../../parts/list.js";
import { columnsOf } from "../events.js";
import { conversation as words } from "./words.js";

const ROWS_MAX = 500;
const COLUMNS = columnsOf((row) => href("events", [row.cursor])).slice(0, 4);

/** @param {{row: any}} props */
export default function Events({ row }) {
	const list = useList("/parlour/v1/Events", "events", { ConversationSid: row.sid, Order: "desc", PageSize: 50 });
	useLive((events) => {
		if (!events) return list.reload();
		const ours = events.filter((each) => each.conversation_sid === row.sid).reverse();
		list.update((last) => {
			const known = new Set(last.rows.map((each) => each.cursor));
			return { ...last, rows: [...ours.filter((each) => !known.has(each.cursor)), ...last.rows].slice(0, ROWS_MAX) };
		});
	});
	return html`<div class="body scroll"><${Table} label="Events" columns=${COLUMNS} rows=${list.rows} list=${list} keyOf="cursor" none=${words.noEvents} /></div>`;
}
