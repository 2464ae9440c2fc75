/** One conversation: its head, and the tabs with all about it. */
import { get, Later, mayChange, post, remove, useLoad } from "../api.js";
import { go, html, Icon, Skeleton, Time, Trouble, useKeys, useQuery } from "../kit.js";
import { useLive } from "../live.js";
import { useDialog } from "../parts/form.js";
import { Tabs } from "../parts/list.js";
import { copyText, Sid } from "../parts/values.js";
import { conversation as words } from "./conversation/words.js";
import { nameOf, State, toConversation } from "./conversations.js";

const TABS = /** @type {[string, string][]} */ ([
	["messages", "Messages"],
	["participants", "Participants"],
	["webhooks", "Webhooks"],
	["timers", "Timers"],
	["events", "Events"],
	["json", "JSON"],
]);
/** @param {string} tab */
const tabOf = (tab) => import(`./conversation/${tab}.js`);
const ATTRIBUTES_BYTES_MAX = 16384;

/**
 * What may be done with a conversation; each action opens a dialog.
 * @param {any} row
 * @param {string} base
 * @param {() => void} reload
 * @returns {any[]}
 */
export function stateActions(row, base, reload) {
	const to = (/** @type {string} */ State) => () => post(base, { State }).then(reload);
	const close = { title: `Close ${nameOf(row)}?`, text: words.close, action: "Close", isDanger: true, act: to("closed") };
	const other = row.state === "active" ? ["inactive", "Make inactive"] : ["active", "Make active"];
	const change = { title: `${other[1]}: ${nameOf(row)}`, text: words.becomes[other[0]], action: other[1], act: to(other[0]) };
	return row.state === "closed" ? [] : [change, close];
}

/** @param {TabProps} props */
function Head({ summary, row, base, reload }) {
	const [dialog, open] = useDialog();
	const edit = {
		title: `Edit ${nameOf(row)}`,
		action: "Save",
		fields: [
			{ name: "FriendlyName", label: "Name", value: row.friendly_name },
			{ name: "UniqueName", label: "Unique name", value: row.unique_name, hint: words.unique },
			{ name: "Attributes", kind: "json", value: row.attributes, max: ATTRIBUTES_BYTES_MAX },
		],
		act: (/** @type {any} */ changes) => post(base, changes).then(reload),
	};
	const removal = {
		title: `Delete ${nameOf(row)}?`,
		text: words.removal(summary),
		action: "Delete",
		isDanger: true,
		act: () => remove(base).then(() => go(toConversation())),
	};
	const actions = row.state === "closed" ? [] : [{ ...edit, label: "Edit" }, ...stateActions(row, base, reload)];
	return html`<header class="head">
		<a class="button only-narrow" href=${toConversation()} aria-label="Back to the list"><${Icon} name="back" /></a>
		<div class="cut">
			<h2 class="cut" title=${nameOf(row)}>${nameOf(row)}</h2>
			<p class="row small soft">
				<${State} state=${row.state} />
				${row.unique_name && html`<span class="cut">${row.unique_name}</span>`}
				<${Sid} sid=${row.sid} />
				<span>updated <${Time} at=${row.date_updated} /></span>
			</p>
		</div>
		${mayChange() && html`<p class="row push">
			${[...actions, removal].map((each) => html`<button class="small ${each.isDanger && "danger"}"
				onClick=${() => open(each)}>${each.label ?? each.action}</button>`)}
		</p>`}
		${dialog}
	</header>`;
}

/** @param {{sid: string}} props */
export default function Conversation({ sid }) {
	const [tab] = useQuery("tab", "messages");
	const loaded = useLoad(async (signal) => {
		const [summary] = (await get("/parlour/v1/ConversationSummaries", { Sid: sid }, { signal })).conversation_summaries;
		const base = summary ? `/v1/Services/${summary.chat_service_sid}/Conversations/${sid}` : `/v1/Conversations/${sid}`;
		return { summary, base, row: await get(base, {}, { signal }) };
	}, [sid]);
	useLive((events) => {
		const isOurs = (/** @type {any} */ each) => each.conversation_sid === sid && !/Message|Delivery/.test(each.event_type);
		if (!events || events.some(isOurs)) loaded.reload();
	});
	useKeys({ c: () => void copyText(sid), Escape: () => go(toConversation()) });
	if (!loaded.data)
		return loaded.error ? html`<div class="body padded">
			<a class="button only-narrow" href=${toConversation()} aria-label="Back to the list"><${Icon} name="back" /></a>
			<${Trouble} of=${loaded} />
		</div>` : html`<${Skeleton} />`;
	return html`<div class="page">
		<${Head} ...${loaded.data} reload=${loaded.reload} />
		<${Tabs} label="About the conversation" tabs=${TABS} />
		<div class="pane" role="tabpanel" id="tab-panel" aria-labelledby="tab-${tab}">
			<${Trouble} of=${loaded} />
			<${Later} load=${tabOf} of=${tab} ...${loaded.data} reload=${loaded.reload} />
		</div>
	</div>`;
}
