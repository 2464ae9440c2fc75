/** What was committed in one conversation, newest first. */
import { href, html } from "../../kit.js";
import { Pill } from "../../parts/feed.js";
import { Table } from "../../parts/list.js";
import { columnsOf, useEvents } from "../events.js";
import { conversation as words } from "./words.js";

const COLUMNS = columnsOf((row) => href("events", [row.cursor], { conversation: row.conversation_sid })).slice(0, 4);

/** @param {{row: any}} props */
export default function Events({ row }) {
	const list = useEvents({ ConversationSid: row.sid });
	return html`<div class="body scroll" ref=${list.body}><${Pill} list=${list} />
		<${Table} label="Events" columns=${COLUMNS} list=${list} keyOf="cursor" none=${words.noEvents} /></div>`;
}
