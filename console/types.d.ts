// Types that several modules of the page use: they are read by the check of types only, not sent.

/** An object of the API. */
type Row = Record<string, any>;

/** A column of a table; `wide`: both columns of a card, and only without a panel; `actions`: buttons. */
interface Column {
	label: string;
	cell: (row: any) => any;
	kind?: "number" | "wide" | "nowrap" | "actions";
}

/** A column, written short; the cell may be the name of a property. */
type ShortColumn = [label: string, cell: string | ((row: any) => any), kind?: Column["kind"]];

/** The property that names a row, or what returns its name. */
type KeyOf = string | ((row: any) => string);

/** A table of a page of figures. */
interface Section {
	title: string;
	columns: Column[];
	rows: any[];
	none: string;
	keyOf?: KeyOf;
}

/** Names and values of a list of facts. */
type FactList = [string, any][];

interface TableProps {
	label: string;
	/** As `useList` returns it, for its states and further pages. */
	list?: any;
	columns: Column[];
	rows?: any[];
	keyOf?: KeyOf;
	/** Where a row leads; the first cell should link to it. */
	hrefOf?: (row: any) => string;
	selected?: string;
	/** If it is empty: a sentence, or title and next step. */
	none?: any;
}

interface PanelProps {
	title: any;
	/** The address without the panel. */
	closeTo: string;
	/** The `data-row` that gets the focus back. */
	row?: string;
	actions?: any;
	children?: any;
}

interface ReportProps {
	title: string;
	/** Of an operator's operation. */
	path: string;
	/** What is said beside the title. */
	state?: (data: any) => any;
	facts?: (data: any) => FactList;
	sections?: (data: any) => Section[];
	children?: (data: any) => any;
}

interface GroupProps {
	title: string;
	path: string;
	/** Of the operation that changes it. */
	id: string;
	values?: Record<string, string>;
}

interface Feed {
	path: string;
	/** Of the rows in the answer. */
	name: string;
	filters: Row;
	keyOf?: string;
	selected?: string;
	/** Gives new rows, newest first, until it is aborted. */
	follow?: (list: any, take: (rows: Row[]) => void, signal: AbortSignal) => void;
}

/** Gives the rows of a list that match and are new, until it is aborted. */
type Follow = (filters: Row, list: any, take: (rows: Row[]) => void, signal: AbortSignal) => Promise<void>;

type Choices = (string | [string, string])[];

/** A field of a dialog. */
interface FormField {
	/** Of the parameter. */
	name: string;
	label?: string;
	value?: any;
	hint?: any;
	/** Bytes of JSON. */
	max?: number;
	length?: number;
	isRequired?: boolean;
	/** `many` and `lines` have arrays. */
	kind?: "text" | "url" | "area" | "json" | "number" | "check" | "many" | "lines";
	options?: Choices;
}

interface Question {
	title: string;
	text?: any;
	action?: string;
	isDanger?: boolean;
}

interface FormSpec extends Question {
	/** All fields are sent, not only what is required or was changed. */
	isWhole?: boolean;
	fields?: FormField[];
	act: (changes: Row) => any;
	mayBeEmpty?: boolean;
}

interface OperationSpec extends Question {
	id: string;
	/** Of the variables of the path. */
	values?: Record<string, string>;
	/** What is edited. */
	row?: any;
	/** The parameters that are shown, in this order. */
	only?: string[];
	/** Parameters that are sent, and not shown. */
	fixed?: Record<string, string>;
	/** Choices by parameter. */
	known?: Record<string, Choices>;
	onDone: (result: any) => void;
}

interface Parameter {
	name: string;
	schema: any;
	isRequired: boolean;
}

interface Operation {
	method: string;
	path: string;
	parameters: Parameter[];
}

interface CollectionProps {
	label: string;
	/** What a row is called. */
	one: string;
	path: string;
	/** As `useList` returns it. */
	list: any;
	columns: Column[];
	/** Of a row, or of a new one. */
	fields: (row?: any) => FormField[];
	nameOf?: (row: any) => string;
	none: string | string[];
	/** What goes with a row that is removed. */
	removal?: any;
	/** Nothing may change. */
	isFixed?: boolean;
}

interface DialogProps extends Question {
	action: string;
	/** Gets the fields by name; its error is shown in the dialog. */
	act: (fields: Record<string, string>, form: FormData) => any;
	onClose: () => void;
	/** There is nothing to cancel. */
	isNote?: boolean;
	children?: any;
}
