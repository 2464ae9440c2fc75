/** How values are shown and copied: SIDs and JSON. */
import { html, Icon, onValue, useState } from "../kit.js";

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

/** @param {{text: string | (() => string), label?: string, children?: any}} props A button that copies a text; it says so for a moment. */
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

/** @param {string} name As a label: "Timers: inactive", "Post webhook URL". */
export function labelOf(name) {
	const text = name.replace(/([a-z])([A-Z])/g, "$1 $2").replaceAll("_", " ").replaceAll(".", ": ").toLowerCase();
	return (text[0].toUpperCase() + text.slice(1)).replace(/\b(url|sid|api)\b/gi, (word) => word.toUpperCase());
}

/**
 * A SID, shortened in the middle, with a button that copies it.
 * @param {{sid?: string | null, full?: boolean, to?: string}} props `to`: where it is shown.
 */
export function Sid({ sid, full = false, to }) {
	if (!sid) return html`<span class="soft">–</span>`;
	if (sid.length < 16) return sid;
	const short = full ? sid : `${sid.slice(0, 6)}…${sid.slice(-4)}`;
	const code = html`<code title=${sid}>${short}</code>`;
	return html`<span class="sid"
		>${to ? html`<a href=${to}>${code}</a>` : code}<${Copy} text=${sid} label="Copy ${sid}"
	/></span>`;
}

// --- JSON: shown, and edited with a check as one types

/** @param {{value: any, label?: string, children?: any}} props */
export function Json({ value, label = "JSON", children }) {
	const text = JSON.stringify(value, null, 2);
	return html`<figure class="json">
		<figcaption class="row"><span class="soft small">${label}</span><${Copy} text=${text} />${children}</figcaption>
		<pre tabindex="0" aria-label=${label}>${text}</pre>
	</figure>`;
}

/** @param {string} text The line and the reason of an error in JSON; empty if there is none. */
export function jsonError(text) {
	try {
		JSON.parse(text);
		return "";
	} catch (error) {
		const message = String(/** @type {Error} */ (error).message);
		const position = Number(/position (\d+)/.exec(message)?.[1] ?? text.length);
		return `Line ${text.slice(0, position).split("\n").length}: ${message}`;
	}
}

/** @param {string} text JSON without spaces, as it is sent; other text as it is. */
export function compactJson(text) {
	try {
		return JSON.stringify(JSON.parse(text));
	} catch {
		return text;
	}
}

/** @param {{value: string, name?: string, label?: string, bytesMax: number}} props A field for attributes, with the size that is left. */
export function JsonField({ value, name = "Attributes", label = name, bytesMax }) {
	const [text, setText] = useState(() => {
		try {
			return JSON.stringify(JSON.parse(value), null, 2);
		} catch {
			return value;
		}
	});
	const error = jsonError(text);
	const size = new TextEncoder().encode(compactJson(text)).length;
	return html`<label class="field wide">
		<span>${label}</span>
		<textarea
			class="mono"
			name=${name}
			rows="7"
			spellcheck=${false}
			aria-invalid=${Boolean(error)}
			value=${text}
			ref=${(/** @type {any} */ field) => field?.setCustomValidity(error)}
			onInput=${onValue(setText)}
		/>
		<span class="hint ${error || size > bytesMax ? "bad" : ""}" role="status">
			${error || "Valid JSON"} · ${size.toLocaleString("en")} of ${bytesMax.toLocaleString("en")} bytes
		</span>
	</label>`;
}
