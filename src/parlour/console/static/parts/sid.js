/** SIDs, and buttons that copy a text on a click. */
import { html, Icon, useState } from "../kit.js";

/** @param {string} text */
export async function copyText(text) {
	if (navigator.clipboard) return navigator.clipboard.writeText(text);
	// Over plain HTTP the clipboard has no interface: a selected field has one.
	const field = document.createElement("textarea");
	field.value = text;
	document.body.append(field);
	field.select();
	document.execCommand("copy");
	field.remove();
}

/**
 * A button that copies a text; it says so for a moment.
 * @param {{text: string | (() => string), label?: string, children?: any}} props
 */
export function Copy({ text, label = "Copy", children }) {
	const [done, setDone] = useState(false);
	const copy = async (/** @type {Event} */ event) => {
		event.stopPropagation();
		await copyText(typeof text === "string" ? text : text());
		setDone(true);
		setTimeout(() => setDone(false), 1200);
	};
	return html`<button
		type="button"
		class=${children ? "" : "quiet small"}
		aria-label=${children ? undefined : label}
		title=${label}
		onClick=${copy}
	>
		<${Icon} name=${done ? "check" : "copy"} />${children && (done ? "Copied" : children)}
	</button>`;
}

/**
 * A SID, shortened in the middle, with a button that copies it.
 * @param {{sid?: string | null, full?: boolean}} props
 */
export function Sid({ sid, full = false }) {
	if (!sid) return html`<span class="soft">–</span>`;
	const short = full || sid.length < 16 ? sid : `${sid.slice(0, 6)}…${sid.slice(-4)}`;
	return html`<span class="sid"
		><code title=${sid}>${short}</code><${Copy} text=${sid} label="Copy ${sid}"
	/></span>`;
}
