/** A field that filters a list by a value of the address. */
import { html, onValue, preferences, useEffect, useQuery, useRef } from "../kit.js";

/** @param {string} time Of the server (RFC 3339), as a field for a local time has it. */
function toField(time) {
	const at = new Date(time);
	if (Number.isNaN(at.valueOf())) return "";
	const offset = preferences.get().zone === "utc" ? 0 : at.getTimezoneOffset() * 60e3;
	return new Date(at.valueOf() - offset).toISOString().slice(0, 19);
}

/** @param {string} text What the field has, as a time of the server. */
const fromField = (text) => text && new Date(text + (preferences.get().zone === "utc" ? "Z" : "")).toISOString();

/** @param {{label: string, name: string, kind?: string}} props `name`: in the query. */
export function Filter({ label, name, kind = "search" }) {
	const [value, setValue] = useQuery(name);
	const isTime = kind === "datetime-local";
	const onChange = onValue((text) => setValue(isTime ? fromField(text) : text.trim()));
	const field = useRef(/** @type {HTMLInputElement | null} */ (null));
	const shown = isTime ? toField(value) : value;
	// Not drawn: rows that arrive would replace what is being typed.
	useEffect(() => {
		if (field.current) field.current.value = shown;
	}, [shown]);
	const input = html`<input ref=${field} type=${kind} aria-label=${label} placeholder=${label} step=${isTime && 1} onChange=${onChange} />`;
	return isTime ? html`<label class="row small soft">${label}${input}</label>` : input;
}
