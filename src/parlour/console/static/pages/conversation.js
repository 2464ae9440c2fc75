/** One conversation: its head, and the tabs with all about it. */
import { get, useLoad } from "../api.js";
import { go, href, html, Icon, route, Skeleton, Time, Trouble, useKeys, useQuery, useStore } from "../kit.js";
import { useLive } from "../live.js";
import { Json } from "../parts/json.js";
import { copyText, Sid } from "../parts/sid.js";
import { Tabs } from "../parts/tabs.js";
import { nameOf, State } from "./conversations.js";

const TABS = /** @type {[string, string][]} */ ([
	["messages", "Messages"],
	["participants", "Participants"],
	["webhooks", "Webhooks"],
	["timers", "Timers"],
	["events", "Events"],
	["json", "JSON"],
]);

/** @param {{conversation: any, reload: () => void}} props */
function Head({ conversation }) {
	const back = href("conversations", [], { ...Object.fromEntries(route.get().query), tab: "" });
	return html`<header class="head">
		<a class="button only-narrow" href=${back} aria-label="Back to the list"><${Icon} name="back" /></a>
		<div class="stack-tight">
			<h2 class="cut">${nameOf(conversation)}</h2>
			<p class="row small soft">
				<${State} state=${conversation.state} />
				${conversation.unique_name && html`<span>${conversation.unique_name}</span>`}
				<${Sid} sid=${conversation.sid} />
				<span>updated <${Time} at=${conversation.date_updated} /></span>
			</p>
		</div>
	</header>`;
}

/** @param {{sid: string}} props */
export default function Conversation({ sid }) {
	const [tab] = useQuery("tab", "messages");
	const at = useStore(route);
	const base = `/v1/Conversations/${sid}`;
	const conversation = useLoad((signal) => get(base, {}, { signal }), [sid]);
	const part = useLoad(() => import(`./conversation/${tab}.js`).then((module) => ({ tab, show: module.default })), [tab]);
	useLive((events) => {
		if (!events || events.some((each) => each.conversation_sid === sid && each.type.startsWith("onConversation")))
			conversation.reload();
	});
	useKeys({
		c: () => void copyText(sid),
		Escape: () => go(href("conversations", [], { ...Object.fromEntries(at.query), tab: "" })),
	});
	if (!conversation.data)
		return conversation.error
			? html`<${Trouble} problem=${conversation.error} retry=${conversation.reload} />`
			: html`<${Skeleton} />`;
	const shown = part.data?.tab === tab ? part.data.show : null;
	return html`<div class="page">
		<${Head} conversation=${conversation.data} reload=${conversation.reload} />
		<${Tabs} label="About the conversation" tabs=${TABS} />
		<div class="scroll" role="tabpanel" id="tab-panel" aria-labelledby="tab-${tab}">
			<${Trouble} problem=${part.error} />
			${tab === "json" ? html`<div class="body"><${Json} value=${conversation.data} /></div>` : null}
			${shown && html`<${shown} conversation=${conversation.data} base=${base} reload=${conversation.reload} />`}
		</div>
	</div>`;
}

