/**
 * The messages of a conversation, newest first, and which of them are drawn: a window of at most
 * 300 that moves as one scrolls. `below` and `top` count from the newest message.
 */
import { get, useList } from "../../api.js";
import { useEffect, useLayoutEffect, useElement, useRef, useState, useStore } from "../../kit.js";
import { live, useLive, useRefresh } from "../../live.js";

const WINDOW = 300;
const ROWS_MAX = 1000;
const FIRST = 50;
const STEP = 25;
const PAGE_MAX = 100;
const NEAR_PX = 800;
const SPEAK_MS = 5000;

/**
 * The part that is drawn: nothing jumps when it moves.
 * @param {any} list As `useList` returns it.
 */
function useWindow(list) {
	const [{ below, top }, move] = useState({ below: 0, top: FIRST });
	const pane = useElement();
	const { current: place } = useRef({ isEnd: true, sid: "", y: 0 });
	const shown = list.rows.slice(below, top);
	useLayoutEffect(() => {
		const element = pane.current;
		if (place.isEnd) element.scrollTop = element.scrollHeight;
		else {
			const row = element.querySelector(`[data-sid="${place.sid}"]`);
			if (row) element.scrollTop += row.getBoundingClientRect().top - place.y;
		}
	}, [shown[0], shown.at(-1), shown.length]);
	const onScroll = async () => {
		const element = pane.current;
		const { left, top: edge } = element.getBoundingClientRect();
		const row = document.elementFromPoint(left + 60, edge + 30)?.closest("[data-sid]");
		const rest = element.scrollHeight - element.scrollTop - element.clientHeight;
		place.isEnd = rest < 40 && below === 0;
		if (row) Object.assign(place, { sid: row.getAttribute("data-sid"), y: row.getBoundingClientRect().top });
		if (rest < NEAR_PX && below > 0) {
			const next = Math.max(0, below - STEP);
			move({ below: next, top: Math.min(top, next + WINDOW) });
		} else if (element.scrollTop < NEAR_PX) {
			const next = top + STEP;
			if (next > list.rows.length) await list.more?.();
			if (list.more || top < list.rows.length) move({ top: next, below: Math.max(below, next - WINDOW) });
		}
	};
	/** @param {number} count New messages: drawn at the end, or later if the reader is elsewhere. */
	const push = (count) => move((last) => (place.isEnd ? { ...last, top: Math.min(last.top + count, WINDOW) }
		: { below: last.below + count, top: last.top + count }));
	const toEnd = () => {
		place.isEnd = true;
		move({ below: 0, top: FIRST });
		pane.current.scrollTop = pane.current.scrollHeight;
	};
	return { shown, pane, place, onScroll, push, toEnd };
}

/** How many came while the reader was elsewhere. */
function useCounts() {
	const [unseen, setUnseen] = useState(0);
	const [spoken, speak] = useState("");
	const { current: heard } = useRef({ count: 0, timer: 0 });
	const hear = (/** @type {number} */ count) => {
		heard.count += count;
		heard.timer ||= setTimeout(() => {
			speak(`${heard.count} new messages`);
			Object.assign(heard, { count: 0, timer: 0 });
		}, SPEAK_MS);
	};
	return { unseen, setUnseen, spoken, hear };
}

/** @param {string} path @param {string} conversation */
export function useThread(path, conversation) {
	const list = useList(path, "messages", { Order: "desc", PageSize: FIRST });
	const { push, place, ...view } = useWindow(list);
	const { hear, ...counts } = useCounts();
	const { state } = useStore(live);
	const touch = useRefresh(async (sids) => {
		const PageSize = Math.min(PAGE_MAX, 20 + sids.length);
		const newest = /** @type {any[]} */ ((await get(path, { Order: "desc", PageSize })).messages);
		const oldest = newest.length < PageSize ? 0 : newest[PageSize - 1].index;
		const last = list.rows[0]?.index ?? -1;
		if (oldest > last + 1 || (place.isEnd && list.rows.length > ROWS_MAX)) return list.reload();
		const now = new Map();
		for (const { sid, index } of list.rows)
			if (index < oldest && sids.includes(sid)) now.set(sid, await get(`${path}/${sid}`).catch((error) => {
				if (error.status !== 404) throw error;
			}));
		const before = new Map(list.rows.map((row) => [row.sid, row]));
		const same = (/** @type {any} */ row) => (JSON.stringify(before.get(row.sid)) === JSON.stringify(row) ? before.get(row.sid) : row);
		list.update((data) => ({ ...data, rows: [...newest.map(same), ...data.rows.filter((row) => row.index < oldest)
			.map((row) => (now.has(row.sid) ? now.get(row.sid) : row)).filter(Boolean)] }));
		const count = newest.filter((row) => row.index > last).length;
		if (!count) return;
		push(count);
		hear(count);
		if (!place.isEnd) counts.setUnseen((total) => total + count);
	});
	useLive((events) => {
		if (!events) return list.reload();
		const ours = events.filter((each) => each.conversation_sid === conversation && /Message|Delivery/.test(each.event_type));
		if (ours.length) void touch(ours.map((each) => each.parameters?.MessageSid ?? each.subject_sid));
	});
	// What was committed between the load and the start of the stream.
	useEffect(() => void (state === "live" && list.data && touch([path])), [state]);
	const onScroll = () => {
		void view.onScroll();
		if (place.isEnd) counts.setUnseen(0);
	};
	const toEnd = () => {
		view.toEnd();
		counts.setUnseen(0);
	};
	return { ...list, ...view, ...counts, onScroll, toEnd };
}
