/** The frame of the console: who is signed in, which page is shown, and what surrounds it. */
import { call, get, Later, Problem, resume, session, signOut, useLoad } from "./api.js";
import { followLinks, go, href, html, Icon, ICONS, onValue, prefer, preferences, render, route, store } from "./kit.js";
import { serverClock, serverNow, Trouble, useEffect, useErrorBoundary, useKeys, useElement, useState, useStore, useTimer } from "./kit.js";
import { live, useLive } from "./live.js";
import { pageName, sentences, by } from "./words.js";

/** The pages in the order of the menu, and who sees them. @type {[needs: string, pages: string][]} */
const ORDER = [
	["", "start conversations users phones clients webhooks requests events"],
	["test", "test"],
	["", "settings"],
	["operator", "health queues accounts media audit sessions server"],
];
const MENU = ORDER.flatMap(([needs, names]) => names.split(" ").map((page) => ({ page, needs })));

/** @type {Record<string, any>} */
const loaded = {};

/** What pages show of server and account. @type {ReturnType<typeof store<Record<string, any>>>} */
export const world = store({ accounts: [], services: [], server: {}, clock: null, faults: 0 });

/** @param {Record<string, any>} changes */
const know = (changes) => world.set({ ...world.get(), ...changes });

/** @param {{needs: string}} entry */
function isShown(entry) {
	const who = session.get();
	if (entry.needs === "test") return Boolean(who?.test);
	return entry.needs !== "operator" || who?.principal.kind === "operator";
}

/** @param {any} account How many requests it made lately: a program may use another one. */
export const traffic = (account) => account.requests?.last_5_minutes ?? 0;

async function loadAccounts() {
	const who = session.get();
	if (!who) return;
	const { accounts, meta } = who.account_sid
		? { accounts: [{ sid: who.account_sid }], meta: {} }
		: await get("/parlour/v1/Operator/Accounts", { PageSize: 50 }, { account: "-" });
	know({ accounts, hasMore: meta.next_page_url });
	const at = route.get();
	if (!at.account || (at.account === "-" && !at.page)) {
		const [busiest] = [...accounts].sort((one, other) => traffic(other) - traffic(one));
		const sid = busiest?.sid ?? "-";
		go(href(at.page || "conversations", [], {}, sid), { replace: true, state: at.page || "first" });
	}
}

async function loadAccount() {
	if (!session.get() || !route.get().account || route.get().account === "-") return;
	const [{ services }, { data: server, headers }] = await Promise.all([
		get("/v1/Services", { PageSize: 100 }),
		call("GET", "/parlour/v1/Server"),
	]);
	serverClock.ahead = Date.parse(headers.get("date") ?? "") - Date.now() || 0;
	know({ services, server });
	if (session.get()?.test) await loadTestState().catch(unlessForbidden);
}

/** @param {Error} problem Some roles and keys may not see the functions of test mode. */
function unlessForbidden(problem) {
	if (!(problem instanceof Problem) || problem.status !== 403) throw problem;
}

/** Load the clock and the faults of test mode, for the bar at the top. */
export async function loadTestState() {
	const [clock, faults] = await Promise.all([
		get("/parlour/v1/Clock"),
		get("/parlour/v1/Faults"),
	]);
	const now = Date.parse(clock.now);
	Object.assign(serverClock, { ahead: now - Date.now(), frozen: clock.mode === "frozen" && now });
	know({ clock, faults: faults.faults.length });
}

const REFRESH_MS = 5000;

/** How many receivers of webhooks do not take what waits for them. */
function Failing() {
	const { account } = useStore(route);
	const { data, reload } = useLoad(async () => account !== "-" && session.get() && get("/parlour/v1/WebhookEndpoints"), [account]);
	useTimer(reload, REFRESH_MS);
	const count = data?.webhook_endpoints?.filter((/** @type {any} */ each) =>
		each.waiting.count && each.last_failure && !(each.date_last_success > each.last_failure.date)).length;
	return count > 0 && html`${" "}<span class="badge bad push">${count} failing</span>`;
}

/** @param {{isOpen: boolean}} props */
function Rail({ isOpen }) {
	const at = useStore(route);
	const who = useStore(session);
	const entries = MENU.filter(isShown);
	const first = entries.find((each) => each.needs === "operator");
	return html`<nav class="rail ${isOpen ? "open" : ""}" aria-label="Pages">
		${entries.map(
			(entry) => html`${entry === first && html`<p class="rail-head">Operator</p>`}
				<a href=${href(entry.page)} aria-current=${at.page === entry.page ? "page" : undefined}>
					<${Icon} name=${entry.page} /> ${pageName(entry.page)}${entry.page === "webhooks" && html`<${Failing} />`}
				</a>`,
		)}
		${who && html`<p class="rail-head cut">${who.principal.name}</p>
			<button class="quiet" onClick=${signOut}><${Icon} name="sessions" />Sign out</button>`}
	</nav>`;
}

/** Where what a SID names is shown: a page, or a tab of the settings. */
const SEARCHED = by({
	CH: "conversations", US: "users", RQ: "requests", NO: "webhooks", ec: "events",
	RL: "?roles", SK: "?keys", HX: "?templates", CR: "?credentials", IG: "?addresses",
});

/** @param {string} text The address of what a SID or cursor names, or a search. */
function addressOf(text) {
	const kind = /^(ec(?=_)|[A-Z]{2}(?=[0-9a-f]{32}$))/.exec(text)?.[0] ?? "";
	const page = SEARCHED[kind];
	if (page) return page[0] === "?" ? href("settings", [], { tab: page.slice(1) }) : href(page, [text]);
	return kind === "AC" ? href("conversations", [], {}, text) : href("conversations", [], { [kind === "IS" ? "service" : "search"]: text });
}

/** A field that goes to what is pasted, or searches conversations. */
function Search() {
	const field = useElement();
	useKeys({ "/": () => field.current?.focus() });
	const submit = (/** @type {Event} */ event) => {
		event.preventDefault();
		const text = field.current.value.trim();
		go(addressOf(text));
		field.current.value = "";
		field.current.blur();
	};
	return html`<form class="search" role="search" onSubmit=${submit}>
		<${Icon} name="search" />
		<input ref=${field} type="search" aria-label="Search, or go to a SID" placeholder="SID, name or identity" />
		<kbd>/</kbd>
	</form>`;
}

/** Account and service that the pages are about. */
function Pickers() {
	const { accounts, services, hasMore } = useStore(world);
	const at = useStore(route);
	const pick = onValue((account) => go(account ? href(at.page || "conversations", [], {}, account) : href("accounts")));
	const pickService = onValue((service) =>
		go(location.pathname.split("/").slice(0, 5).join("/") + (service && `?service=${service}`)));
	const name = (/** @type {any} */ each) =>
		each.friendly_name || `${each.sid.slice(0, 6)}…${each.sid.slice(-4)}`;
	const option = (/** @type {any} */ each) =>
		html`<option value=${each.sid}>${name(each)}${each.sid !== at.account && traffic(each) > 0 && ` (${traffic(each)} requests in 5 min)`}</option>`;
	const isListed = at.account === "-" || accounts.some((/** @type {any} */ each) => each.sid === at.account);
	return html`<div class="pickers">
		<select aria-label="Account" value=${at.account} onChange=${pick}>
			${at.account === "-" && html`<option value="-">No account</option>`}
			${!isListed && option({ sid: at.account })}
			${accounts.map(option)}
			${hasMore && html`<option value="">More accounts …</option>`}
		</select>
		${services.length > 1 &&
		html`<select aria-label="Service" value=${at.query.get("service") ?? ""} onChange=${pickService}>
			<option value="">Default service</option>
			${services.map(option)}
		</select>`}
	</div>`;
}

/** The state of the stream; a lost one is also said in a banner. */
function LiveDot() {
	const { state, since } = useStore(live);
	const words = state === "lost" ? sentences.lost(since.toLocaleTimeString()) : sentences[state];
	const short = { live: "live", lost: "not live", connecting: "connecting", off: "not live" }[state];
	return html`<span class="dot ${state}" role="status" title=${words}><i />${short}</span>`;
}

/** Clock and faults of test mode, if they differ from real life. */
function TestState() {
	const { clock, faults } = useStore(world);
	const [, draw] = useState(0);
	const isVirtual = clock && clock.mode !== "system";
	useTimer(() => draw((count) => count + 1), 1000);
	return html`${isVirtual &&
	html`<a class="badge warn" href=${href("test")} title="The clock of test mode">
		<${Icon} name="clock" /><span class="number">virtual ${new Date(serverNow()).toISOString().slice(0, 19).replace("T", " ")}, ${clock.mode}</span>
	</a>`}
	${faults > 0 &&
	html`<a class="badge warn" href=${href("test", [], { tab: "faults" })}>${faults} fault${faults > 1 ? "s" : ""} armed</a>`}`;
}

const THEMES = ["", "light", "dark"];

function Theme() {
	const { theme = "" } = useStore(preferences);
	useEffect(() => {
		document.documentElement.dataset.theme = theme;
	}, [theme]);
	const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
	const label = `Theme: ${theme || "as the system"}. Change to ${next || "as the system"}`;
	return html`<button class="quiet" aria-label=${label} title=${label} onClick=${() => prefer("theme", next)}>
		<${Icon} name="theme" />
	</button>`;
}

/** @param {BarProps} props */
function Bar({ isOpen, onMenu, onHelp }) {
	return html`<header class="bar">
		<button class="quiet menu-button" aria-label="Menu" aria-expanded=${isOpen} onClick=${onMenu}><${Icon} name="menu" /></button>
		<a class="brand" href=${href("conversations")}><svg aria-hidden="true"><use href="${ICONS}#logo" /></svg>Parlour</a>
		<${Pickers} />
		<${Search} />
		<span class="bar-state"><${TestState} /><${LiveDot} /></span>
		<${Theme} />
		<button class="quiet" aria-label="Help and keys" title="Help and keys (?)" onClick=${onHelp}><${Icon} name="help" /></button>
	</header>`;
}

/** @param {{name: string}} props */
function Page({ name }) {
	const [error, retry] = useErrorBoundary();
	const at = useStore(route);
	const page = useLoad(async () => {
		if (!MENU.some((each) => each.page === name && isShown(each))) throw new Error(sentences.unknownPage);
		loaded[name] ??= await import(`./pages/${name}.js`);
		return name;
	}, [name]);
	useEffect(() => {
		document.title = `${page.error ? "Not found" : pageName(name)} – Parlour`;
	}, [name, page.error]);
	useEffect(retry, [at]);
	if (error) return html`<main id="main"><h1>${sentences.undrawn}</h1><${Trouble} problem=${error} retry=${retry} /></main>`;
	if (page.error) return html`<main id="main"><h1>Not here</h1><${Trouble} of=${page} /></main>`;
	if (page.data !== name) return html`<main id="main" aria-busy="true"><h1 class="unseen">Loading</h1></main>`;
	return html`<main id="main" tabindex="-1"><${loaded[name].default} key=${at.account} /></main>`;
}

function Console() {
	const who = useStore(session);
	const at = useStore(route);
	const [isMenuOpen, openMenu] = useState(false);
	const [isHelpOpen, openHelp] = useState(false);
	const { state, since } = useStore(live);
	const name = who?.principal.name;
	const loads = [useLoad(loadAccounts, [name]), useLoad(loadAccount, [name, at.account])];
	const boot = loads.find((each) => each.error) ?? loads[0];
	useKeys({ "?": () => openHelp(true) });
	useEffect(() => openMenu(false), [at.page]);
	const follow = () => session.get()?.test && route.get().account !== "-" && loadTestState().catch(() => {});
	useTimer(follow, REFRESH_MS);
	useLive((events) => void (events || follow()));
	useKeys(isMenuOpen ? { Escape: () => openMenu(false) } : {});
	if (who === undefined) return html`<${Trouble} problem=${boot.error} />`;
	return html`<a class="skip" href="#main">Skip to the page</a>
		${who && html`<${Bar} isOpen=${isMenuOpen} onMenu=${() => openMenu(!isMenuOpen)} onHelp=${() => openHelp(true)} />`}
		${state === "lost" && html`<p class="banner" role="status">${sentences.lost(since.toLocaleTimeString())}</p>`}
		${who && boot.error && html`<${Trouble} of=${boot} />`}
		${at.account && html`<div class="frame"><${Rail} isOpen=${isMenuOpen} /><${Page} name=${at.page} /></div>`}
		${who === null && html`<${Later} load=${() => import("./parts/signin.js")} />`}
		${isHelpOpen && html`<${Later} load=${() => import("./parts/help.js")} onClose=${() => openHelp(false)} />`}`;
}

followLinks();
const root = /** @type {HTMLElement} */ (document.getElementById("app"));
render(html`<${Console} />`, root);
const ticket = /^#ticket=(.+)/.exec(location.hash)?.[1];
if (ticket) history.replaceState(null, "", location.pathname + location.search);
resume(ticket).catch((problem) => render(html`<${Trouble} problem=${problem} retry=${() => location.reload()} />`, root));
