/** The frames of a connection, newest at the bottom. */
import { html, onValue, useEffect, useQuery, useElement, useState } from "../../kit.js";

export const FRAMES_MAX = 500;

/** @param {{frame: any}} props A frame; its content is written when it is opened. */
function Line({ frame }) {
	const [isOpen, open] = useState(false);
	const { at, isSent, kind, size, header, body } = frame;
	return html`<details onToggle=${(/** @type {any} */ event) => open(event.target.open)}>
		<summary><time datetime=${at.toISOString()}>${at.toISOString().slice(11, 23)}</time>
			<span class=${isSent ? "soft" : "good"}>${isSent ? "sent" : "received"}</span><span class="cut" title=${kind}>${kind.replace(/([A-Z]{2})[0-9a-f]{32}/g, "$1")}</span><span class="number soft">${size} B</span></summary>
		${isOpen && html`<pre tabindex="0">${JSON.stringify({ header, body }, null, 2)}</pre>`}
	</details>`;
}

/** @param {{frames: any[], name: string}} props */
export function Frames({ frames, name }) {
	const [filter, setFilter] = useQuery("frames");
	const [held, hold] = useState(/** @type {any[] | null} */ (null));
	const shown = (held ?? frames).filter((each) => !filter || JSON.stringify(each).includes(filter));
	const end = useElement();
	useEffect(() => {
		const scroll = end.current;
		if (scroll && !scroll.querySelector("[open]")) scroll.scrollTop = scroll.scrollHeight;
	}, [shown[shown.length - 1]?.key]);
	const save = () => {
		const text = frames.map((each) => JSON.stringify(each)).join("\n");
		const url = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
		Object.assign(document.createElement("a"), { href: url, download: `frames-${name}.jsonl` }).click();
		URL.revokeObjectURL(url);
	};
	return html`<section class="frames" aria-label="Frames">
		<header class="row"><h2>Frames</h2><span class="small soft nowrap">${filter ? `${shown.length} of ` : ""}${frames.length}</span>
			<input class="cut" type="search" aria-label="Filter frames" placeholder="Kind or text" value=${filter}
				onInput=${onValue(setFilter)} />
			<button aria-pressed=${Boolean(held)} onClick=${() => hold(held ? null : [...frames])}>Pause</button>
			<button onClick=${save}>Save</button></header>
		<div class="scroll" ref=${end}>${shown.map((each) => html`<${Line} key=${each.key} frame=${each} />`)}</div>
	</section>`;
}
