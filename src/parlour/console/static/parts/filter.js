/** A field that filters a list by a value of the address. */
import { html, useQuery } from "../kit.js";

/** @param {{label: string, name: string, kind?: string}} props `name`: in the query. */
export function Filter({ label, name, kind = "search" }) {
	const [value, setValue] = useQuery(name);
	const onChange = (/** @type {any} */ event) => setValue(event.target.value.trim());
	return html`<input type=${kind} aria-label=${label} placeholder=${label} value=${value} onChange=${onChange} />`;
}
