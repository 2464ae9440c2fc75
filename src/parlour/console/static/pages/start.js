/** Start: the lines that point a program here, and the wait for its first request. */
import { get, useLoad } from "../api.js";
import { traffic, world } from "../app.js";
import { href, html, Icon, route, Trouble, useEffect, useStore } from "../kit.js";
import { Copy } from "../parts/values.js";
import { start } from "../words.js";

export default function Start() {
	const { account } = useStore(route);
	// Each answer of the journal is one long poll.
	const query = { Source: "rest", Wait: 20, PageSize: 1 };
	const journal = useLoad((signal) => get("/parlour/v1/Requests", query, { signal }), []);
	const first = journal.data?.requests[0];
	useEffect(() => {
		if (journal.data && !first) journal.reload();
	}, [journal.data]);
	const other = useStore(world).accounts.find((/** @type {any} */ each) => each.sid !== account && traffic(each) > 0);
	return html`<div class="page scrolls"><div class="body stack padded">
		<h1>${start.title}</h1>
		<p class="measure">${start.lead} <a href=${href("settings", [], { tab: "keys" })}>${start.keys}</a></p>
		<${Trouble} of=${journal} />
		<div class="card"><p class="row" role="status">
			<span class=${first ? "good" : "soft"}><${Icon} name=${first ? "check" : "clock"} /></span>
			${first
				? html`${start.came} <a href=${href("requests", [first.sid])}>${first.method} ${first.path}</a>`
				: start.waiting}
			${!first && other && html`<a href=${href("conversations", [], {}, other.sid)}>${start.other(other.friendly_name || other.sid)}</a>`}
		</p></div>
		${start.snippets(location.origin, account).map(([name, text]) => html`<section class="card stack">
			<header class="row"><h2>${name}</h2><span class="push"><${Copy} text=${text}>Copy<//></span></header>
			<pre tabindex="0" aria-label=${name}>${text}</pre>
		</section>`)}
	</div></div>`;
}
