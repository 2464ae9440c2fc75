/** Who takes part in a conversation, by identity or by address. */
import { get, useList, useLoad } from "../../api.js";
import { Badge, html } from "../../kit.js";
import { useLive } from "../../live.js";
import { Collection } from "../../parts/collection.js";
import { columns } from "../../parts/list.js";
import { empty, by } from "../../words.js";
import { conversation as words } from "./words.js";

const CHANNELS = by({ sms: "SMS", whatsapp: "WhatsApp", rcs: "RCS" });

/** @param {any} row Undefined, if it has no address. */
export const channelOf = (row) => CHANNELS[row?.messaging_binding?.type] ?? row?.messaging_binding?.type;

/** @param {any} row */
export const personOf = ({ identity, messaging_binding: binding, sid }) =>
	identity ?? binding?.address ?? binding?.projected_address ?? sid;

/** @param {any[]} roles @param {any} row The fields of a participant, or of a new one. */
function fieldsOf(roles, row) {
	const binding = row?.messaging_binding;
	const options = roles.filter((each) => each.type === "conversation").map((each) => [each.sid, each.friendly_name]);
	return [
		!row && { name: "Identity", hint: words.identity },
		!row && { name: "MessagingBinding.Address", label: "Address", hint: words.address },
		row && !binding && { name: "LastReadMessageIndex", label: "Read up to message", kind: "number", value: row.last_read_message_index },
		(!row || binding) && { name: "MessagingBinding.ProxyAddress", label: "Proxy address", value: binding?.proxy_address, hint: words.proxy },
		{ name: "MessagingBinding.ProjectedAddress", label: "Projected address", value: binding?.projected_address, hint: words.projected },
		{ name: "RoleSid", label: "Role", value: row?.role_sid, options: row ? options : [["", "Default"], ...options] },
		{ name: "Attributes", kind: "json", value: row?.attributes ?? "{}" },
	].filter(Boolean);
}

/** @param {TabProps} props */
export default function Participants({ row, base }) {
	const path = `${base}/Participants`;
	const list = useList(path, "participants", { PageSize: 100 });
	const more = useLoad(async () => {
		const [{ roles }, { messages }] = await Promise.all([
			get(`/v1/Services/${row.chat_service_sid}/Roles`, { PageSize: 50 }),
			get(`${base}/Messages`, { Order: "desc", PageSize: 1 }),
		]);
		return { roles, last: messages[0]?.index ?? -1 };
	}, [base]);
	useLive((events) => {
		const isOurs = (/** @type {RegExp} */ type) => !events || events.some((each) => each.conversation_sid === row.sid && type.test(each.event_type));
		if (isOurs(/Participant/)) list.reload();
		if (isOurs(/MessageAdded/)) more.reload();
	});
	const { roles = [], last = -1 } = more.data ?? {};
	const shown = columns(
		["Participant", (each) => html`<span class="strong">${personOf(each)}</span>${each.messaging_binding && html` <${Badge}>${channelOf(each)}<//>`}`],
		["Proxy or projected", ({ messaging_binding: binding }) => binding?.proxy_address ?? binding?.projected_address ?? "–"],
		["Role", (each) => roles.find((/** @type {any} */ role) => role.sid === each.role_sid)?.friendly_name ?? each.role_sid],
		["Read up to", "last_read_message_index", "number"],
		["Unread", (each) => (each.identity ? last - (each.last_read_message_index ?? -1) : "–"), "number"],
	);
	return html`<div class="body scroll"><${Collection} label="Participants" one="participant" path=${path} list=${list} columns=${shown}
		fields=${(/** @type {any} */ each) => fieldsOf(roles, each)} nameOf=${personOf} none=${empty.participants}
		removal=${words.leaves} isFixed=${row.state === "closed"} /></div>`;
}
