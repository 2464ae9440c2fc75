// The call that comes nearest to an expectation, and what differs.

// A field as it was sent is text; repeated fields are lists.
export function isFieldMatch(sent, wanted) {
  if (wanted instanceof RegExp) return wanted.test(String(sent ?? ""));
  return JSON.stringify(texts(sent)) === JSON.stringify(texts(wanted));
}

function texts(value) {
  if (value === undefined || value === null) return null;
  const all = [value].flat();
  return all.map(text);
}

function text(value) {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function differences({ operation, form, status }, row) {
  const found = [];
  if (row.operation !== operation) found.push(`operation ${row.operation}, not ${operation}`);
  if (status !== undefined && row.status !== status) {
    found.push(`status ${row.status}, not ${status}`);
  }
  for (const [name, wanted] of Object.entries(form)) {
    const sent = row.form?.[name];
    if (isFieldMatch(sent, wanted)) continue;
    const what = wanted instanceof RegExp ? String(wanted) : JSON.stringify(wanted);
    found.push(sent === undefined ? `no ${name}` : `${name} ${JSON.stringify(sent)}, not ${what}`);
  }
  return found;
}

// Fields in a message: as JSON, and regular expressions as they are written.
export function describeFields(fields) {
  const written = Object.entries(fields).map(([name, value]) => {
    const text = value instanceof RegExp ? String(value) : JSON.stringify(value);
    return `${name}: ${text}`;
  });
  return `{${written.join(", ")}}`;
}

// A sentence about the nearest of all calls.
export function describeNearest(wanted, rows) {
  if (!rows.length) return " No request of this account has arrived: is the program pointed at it?";
  const ranked = rows
    .map((row) => ({ row, found: differences(wanted, row) }))
    .sort((left, right) => rank(wanted, left) - rank(wanted, right));
  const { row, found } = ranked[0];
  const difference = found.length ? found.join("; ") : "counted already";
  return `\nThe nearest call, ${row.method} ${row.path} (${row.status}): ${difference}.`;
}

function rank({ operation }, { row, found }) {
  return found.length + (row.operation === operation ? 0 : 1000);
}
