// Types of the frame, of conversations, phones, users and clients: read by the check of types only, not sent.

/** Where the page is: account (or `-`), page, segments, and query. */
interface Route {
	account: string;
	page: string;
	rest: string[];
	query: URLSearchParams;
}

/** Query of a GET, or form of a POST. */
type Given = Record<string, string | number | boolean | string[] | undefined | null>;

interface CallOptions {
	signal?: AbortSignal;
	account?: string;
	headers?: Record<string, string>;
	/** Replaces the form, with its `type`. */
	body?: BodyInit;
	type?: string;
}

/** Calls an operation; a link of the API is a path, too. */
type Caller<Answer = any> = (path: string, given?: Given, options?: CallOptions) => Promise<Answer>;

/** The address of a page of the console; the chosen service stays. */
type Href = (page: string, rest?: string[], query?: Record<string, string | undefined>, account?: string) => string;

type Tone = "good" | "warn" | "bad" | "soft";

/** An error of a load or an action (`of`), or of the page. */
interface TroubleProps {
	of?: any;
	problem?: any;
	retry?: () => void;
}

/** A labelled control. */
interface FieldProps {
	label: string;
	hint?: any;
	isWide?: boolean;
	children?: any;
}

/** A tab of one conversation. */
interface TabProps {
	summary: any;
	row: any;
	/** The path of the conversation. */
	base: string;
	reload: () => void;
}

interface BarProps {
	/** The menu. */
	isOpen: boolean;
	onMenu: () => void;
	onHelp: () => void;
}

/** An item of a list of conversations. */
interface ItemProps {
	row: any;
	isOpen: boolean;
	isFirst: boolean;
}

/** What a user who is sat in for sees; `open` is the conversation that is shown. */
interface SitProps {
	client: any;
	identity: string;
	mine: string;
	open: string;
	sid: string;
	item: any;
}
