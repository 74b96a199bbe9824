/**
 * Fills in a template of kubectl's `-o jsonpath=`, as far as our scripts use it: paths, filters, range,
 * quoted text.
 */
export function jsonPath(template: string, data: unknown): string {
  const parts = template.split(/(\{[^}]*\})/).filter((part) => part !== "");
  return render(parts, data);
}

function render(parts: string[], data: unknown): string {
  let text = "";
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index] ?? "";
    const inner = /^\{(.*)\}$/s.exec(part)?.[1];
    if (inner === undefined) text += part;
    else if (inner.startsWith('"')) text += JSON.parse(inner);
    else if (inner.startsWith("range ")) {
      const end = parts.indexOf("{end}", index);
      const body = parts.slice(index + 1, end);
      for (const one of select(inner.slice("range ".length), data)) text += render(body, one);
      index = end;
    } else text += select(inner, data).map(shown).join(" ");
  }
  return text;
}

function shown(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The values at a path; a field that is not there has none. */
function select(path: string, data: unknown): unknown[] {
  let found: unknown[] = [data];
  for (const [step, , name, filterKey, filterValue] of path.matchAll(
    /\.(([\w-]+))|\[\*\]|\[\?\(@\.(\w+)=="([^"]*)"\)\]/g,
  )) {
    const lists = found.flatMap((one) => (Array.isArray(one) ? one : []));
    if (step === "[*]") found = lists;
    else if (filterKey) found = lists.filter((one) => one?.[filterKey] === filterValue);
    else {
      const values = found.map((one) => (one as Record<string, unknown>)?.[name ?? ""]);
      found = values.filter((one) => one !== undefined && one !== null);
    }
  }
  return found;
}
