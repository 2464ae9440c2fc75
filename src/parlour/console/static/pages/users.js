/** Users of a service, and about one: attributes, role, conversations with what is unread. */
import { get, mayChange, post, remove, useList, useLoad } from "../api.js";
import { go, href, html, Icon, route, Trouble, useEffect, useKeys, useStore } from "../kit.js";
import { startAt, useLive, useRefresh } from "../live.js";
import { useDialog } from "../parts/form.js";
import { columns, Panel, Table, timeOf } from "../parts/list.js";
import { copyText, Json, Sid } from "../parts/values.js";
import { users as words } from "../words.js";

const hrefOf = ({ sid = "" }) => href("users", [sid]);

/** @param {any} user */
const online = ({ is_online: is }) => html`<span class="dot ${is && "live"}"><i />${is ? "online" : "offline"}</span>`;

const CONVERSATIONS = columns(
	["Conversation", (row) => html`<a href=${href("conversations", [row.conversation_sid])}>${row.friendly_name || row.conversation_sid}</a>`],
	["Unread", (row) => row.unread_messages_count ?? "all", "number"],
);

/** @param {any} props */
function User({ user, path, roleOf, children }) {
	const list = useList(`${path}/Conversations`, "conversations");
	useKeys({ c: () => void copyText(user.sid) });
	return html`<${Panel} title=${user.identity} row=${user.sid} closeTo=${href("users")}>
		<div class="row"><a class="button" href=${href("clients", [], { identity: user.identity })}>Sit in</a>${children}</div>
		<dl class="facts">
			<dt>SID</dt><dd><${Sid} sid=${user.sid} full /></dd>
			<dt>Name</dt><dd>${user.friendly_name}</dd>
			<dt>State</dt><dd>${user.is_online === null ? words.unknown : online(user)}</dd>
			<dt>Role</dt><dd>${roleOf(user)}</dd>
		</dl>
		<${Json} label="Attributes" value=${JSON.parse(user.attributes)} />
		<${Table} label="Conversations" list=${list} keyOf="conversation_sid" columns=${CONVERSATIONS} none="In no conversation." />
	<//>`;
}

/** @param {any} user @param {any[]} roles */
const fieldsOf = ({ sid, friendly_name: name, role_sid: role, attributes = "{}" }, roles) => /** @type {FormField[]} */ ([
	...(sid ? [] : [{ name: "Identity", isRequired: true }]),
	{ name: "FriendlyName", label: "Name", value: name },
	{ name: "RoleSid", label: "Role", value: role, options: /** @type {any[]} */ ([["", "Default"]]).slice(sid ? 1 : 0).concat(roles.filter((each) => each.type === "service").map((each) => [each.sid, each.friendly_name])) },
	{ name: "Attributes", kind: "json", value: attributes, max: 16384 },
]);

/** @param {(row: any) => string} roleOf @param {boolean} isReachable */
const columnsOf = (roleOf, isReachable) => columns(
	["Identity", (row) => html`<a href=${hrefOf(row)}>${row.identity}</a>`],
	["Name", "friendly_name"],
	...(isReachable ? [/** @type {[string, any]} */ (["State", online])] : []),
	["Role", roleOf],
	["Attributes", (row) => row.attributes !== "{}" && html`<code class="cut">${row.attributes}</code>`, "wide"],
	["Updated", timeOf("date_updated"), "nowrap"],
);

export default function Users() {
	const { query, rest: [sid] } = useStore(route);
	const service = query.get("service");
	const base = `/v1${service ? `/Services/${service}` : ""}`;
	const path = `${base}/Users`;
	const list = useList(path, "users", { PageSize: 50 });
	const roles = useLoad(async () => (await get(`${base}/Roles`)).roles, [base]).data ?? [];
	const [dialog, ask] = useDialog();
	useEffect(() => startAt(list.data), [list.data?.askedAt]);
	const touch = useRefresh(async (sids) => {
		for (const each of sids) {
			const user = await get(`${path}/${each}`).catch(() => null);
			if (user) list.update(({ rows, ...last }) => ({ ...last, rows: rows.some((row) => row.sid === each) ? rows.map((row) => (row.sid === each ? user : row)) : [...rows, user] }));
		}
	});
	useLive((events) => {
		if (events) touch(events.filter((each) => each.event_type.startsWith("onUser")).map((each) => each.subject_sid));
		else list.reload();
	});
	const row = list.rows.find((each) => each.sid === sid);
	const opened = useLoad(async () => sid && get(`${path}/${sid}`), [path, sid, row]);
	const roleOf = (/** @type {any} */ row) => roles.find((/** @type {any} */ each) => each.sid === row.role_sid)?.friendly_name;
	const edit = (/** @type {any} */ user) => ask({
		title: user.sid ? `Edit ${user.identity}` : "New user",
		fields: fieldsOf(user, roles),
		act: async (changes) => touch([(await post(user.sid ? `${path}/${user.sid}` : path, changes)).sid]),
	});
	const drop = (/** @type {any} */ user) => ask({
		title: `Delete ${user.identity}?`, text: words.removal, action: "Delete", isDanger: true,
		act: async () => { await remove(`${path}/${user.sid}`); go(href("users")); list.reload(); },
	});
	const user = opened.data?.sid === sid && opened.data;
	return html`<div class="beside ${sid && "open"}">
		<div class="page">
			<header class="head"><h1>Users</h1>${mayChange() && html`<button class="push" onClick=${() => edit({})}><${Icon} name="plus" />User</button>`}</header>
			<div class="body"><${Table} label="Users" list=${list} selected=${sid} hrefOf=${hrefOf} columns=${columnsOf(roleOf, list.rows.some((each) => each.is_online !== null))} none=${words.none} /></div>
		</div>
		${sid && (user ? html`<${User} key=${sid} user=${user} path="${path}/${sid}" roleOf=${roleOf}>
			${mayChange() && html`<button onClick=${() => edit(user)}>Edit</button><button class="danger" onClick=${() => drop(user)}>Delete</button>`}
		<//>` : html`<${Trouble} of=${opened} />`)}
		${dialog}
	</div>`;
}
