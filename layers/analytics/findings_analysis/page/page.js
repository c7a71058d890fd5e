// The list of findings: the open ones and the changed ones. It writes text, never HTML; a slice of the rows is drawn at a time,
// and details when they are opened, so that thousands stay quick. The address has what was chosen, after the #.
"use strict";
(() => {
  const place = document.getElementById("list");
  if (!place) return;
  const SLICE = 100;
  const MOST_CHARACTERS = 200;
  const data = JSON.parse(document.getElementById("data").textContent);
  const language = document.documentElement.lang;
  const collator = new Intl.Collator(language, { numeric: true });
  const numbers = new Intl.NumberFormat(language);
  const say = (key, values = {}) =>
    (data.texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === "number" ? numbers.format(values[name]) : values[name]));
  const known = (group, name) => data.texts[`${group}.${name}`] ?? name;

  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name.includes("-") || name === "role") element.setAttribute(name, value);
      else element[name] = value;
    }
    element.append(...children);
    return element;
  }
  const option = ([value, text]) => make("option", { value, textContent: text });
  const button = (textContent, act, properties = {}) => {
    const made = make("button", { type: "button", textContent, ...properties });
    made.addEventListener("click", act);
    return made;
  };
  // What a report says is set apart from the page's own text direction.
  const isolated = (text, className = "") => make("bdi", { textContent: text, className });
  const link = (href, text) => make("a", { href, rel: "noreferrer noopener" }, isolated(text));

  function long(text) {
    if (text.length <= data.cut_after) return [isolated(text)];
    const shown = isolated(`${text.slice(0, data.cut_after)}…`, "whole");
    const turn = button(say("list.text_more"), () => {
      const opens = turn.getAttribute("aria-expanded") === "false";
      shown.textContent = opens ? text : `${text.slice(0, data.cut_after)}…`;
      turn.textContent = say(opens ? "list.text_less" : "list.text_more");
      turn.setAttribute("aria-expanded", String(opens));
    }, { className: "textual", "aria-expanded": "false" });
    return [shown, turn];
  }

  const consoles = new Map(Object.entries(data.consoles));
  const weight = new Map(data.severities.map((severity, place) => [severity, place]));
  const days = new Map(Object.entries(data.days));
  const rows = data.rows.map((row, order) => {
    const { name: resource, ...where } = data.resources[row.resource];
    return Object.assign(row, where, {
      order, resource,
      exploit_available: Boolean(row.exploit_available),
      weight: weight.get(row.severity) ?? weight.size,
      name: row.vulnerability_id ?? row.title ?? "",
      packages: (row.packages ?? []).map(([name, installed, fixed]) => [name, installed, fixed && `→ ${fixed}`].filter(Boolean).join(" ")),
      help: (row.exploit_available ? 0 : 4) + (["YES", "PARTIAL", "NO"].indexOf(row.fix_available) + 4) % 4,
    });
  });
  const haystack = (row) => (row.haystack ??= [
    row.vulnerability_id, row.title, row.resource, row.resource_id, row.account_id, row.region, row.resource_type, known("type", row.resource_type),
    ...row.packages, row.finding_arn, known("severity", row.severity), row.kind && known("kind", row.kind), row.owner, row.previous_owner,
  ].join("\n").toLocaleLowerCase(language));

  // Filters: name, text, values with their texts (none for a text), whether a row has the value, and the list that alone has it.
  const words = (text) => text.toLocaleLowerCase(language).split(/\s+/).filter(Boolean);
  const found = (value) => [...new Set(rows.map(value).filter(Boolean))].sort(collator.compare);
  const texts = (group, names) => names.map((name) => [name, known(group, name)]);
  const kinds = data.groups.flatMap((group) => {
    const members = [...new Set(rows.filter((row) => row.group === group).map((row) => row.kind))];
    const each = members.length > 1 || group === "stayed" ? members.map((kind) => [kind, `– ${known("kind", kind)}`]) : [];
    return members.length ? [[group, known("group", group)], ...each] : [];
  });
  const filters = [
    ["text", "list.search", null, (row, value) => words(value).every((word) => haystack(row).includes(word))],
    ["change", "list.kind", kinds, (row, value) => row.group === value || row.kind === value, "changed"],
    ["owner", "list.owner", (data.has_owners ? found((row) => row.owner) : []).map((name) => [name, known("owner", name)]), (row, value) => row.owner === value],
    ["severity", "list.severity", texts("severity", data.severities.filter((each) => rows.some((row) => row.severity === each))), (row, value) => row.severity === value],
    ["due", "list.due", data.has_due_dates ? texts("due", ["overdue", "soon", "later", "unknown", "none"]) : [], (row, value) => row.due === value],
    ["exploit", "list.exploit", texts("exploit", ["yes", "no"]), (row, value) => Boolean(row.exploit_available) === (value === "yes")],
    ["runs", "list.runs", texts("runs", ["REACHABLE", "IN_USE", "NOT_REACHABLE", "UNKNOWN"]), (row, value) => (value === "IN_USE" ? row.in_use_count > 0 : (row.runtime_reachability ?? "UNKNOWN") === value), "open"],
    ["fix", "list.fix", texts("fix", ["YES", "PARTIAL", "NO"]), (row, value) => row.fix_available === value],
    ["account", "list.account", found((row) => row.account_id).map((each) => [each, each]), (row, value) => row.account_id === value],
    ["resource", "list.resource", null, (row, value) => words(value).every((word) => `${row.resource}\n${row.resource_id ?? ""}`.toLocaleLowerCase(language).includes(word))],
  ].filter(([, , values]) => !values || values.length > 0)
    .map(([name, text, values, holds, only]) => {
      const control = values
        ? make("select", {}, option(["", say("list.all")]), ...values.map(option))
        : make("input", { type: "search", autocomplete: "off", spellcheck: false, maxLength: MOST_CHARACTERS });
      if (name === "text") control.placeholder = say("list.search_hint");
      const label = make("label", { className: name === "text" ? "search" : "" }, make("span", { textContent: say(text) }), control);
      return { name, control, label, holds, only };
    });

  // Columns: name, text, order of two rows, whether the order begins with the largest, the list that alone has it, and whether
  // it is a column or an order alone.
  const worst = (a, b) => a.weight - b.weight;
  const by = (value) => (a, b) => collator.compare(value(a) ?? "", value(b) ?? "");
  // What is not known comes last, or first where the order is reversed.
  const byDays = (a, b) => (a.days_open ?? -1) - (b.days_open ?? -1);
  const byDue = (a, b) => (a.due_on ?? "9999").localeCompare(b.due_on ?? "9999");
  const columns = [
    ["kind", "list.kind", (a, b) => a.order - b.order, false, "changed"],
    ["priority", "list.priority", (a, b) => (a.priority_score ?? 0) - (b.priority_score ?? 0), true, "open"],
    ["severity", "list.severity", worst],
    ["finding", "list.finding", by((row) => row.name)],
    ["resource", "list.resource", by((row) => row.resource)],
    ...(data.has_due_dates ? [["due", "list.due", byDue]] : []),
    ["days", "list.days", byDays, true, null, data.has_due_dates],
    ...(data.has_owners ? [["owner", "list.owner", by((row) => row.owner), false, null, true]] : []),
    ["help", "list.help", (a, b) => a.help - b.help],
  ].map(([name, text, compare, descends = false, only = null, isHidden = false]) => ({ name, text: say(text), compare, descends, only, isHidden }));
  const START = { open: "priority", changed: "severity" };
  const state = { list: data.lists[0], sort: "", down: false };
  let matching = [];
  let shown = 0;

  // Controls
  const tabs = data.lists.map((name) => {
    const count = rows.filter((row) => row.list === name).length;
    const control = make("input", { type: "radio", name: "list", value: name });
    control.addEventListener("change", () => { state.list = name; sort(START[name]); });
    return { name, count, control, label: make("label", {}, control, make("span", { textContent: say(`list.${name}`, { n: count }) })) };
  });
  const order = make("select");
  order.addEventListener("change", () => sort(order.value));
  const turn = button("⇅", () => sort(state.sort, !state.down), { title: say("list.order"), "aria-label": say("list.order") });
  const reset = button(say("list.reset"), () => { restore(new URLSearchParams({ list: state.list })); remember(); filters[0].control.focus(); });
  const controls = make("div", { className: "controls", role: "group", "aria-label": say("list.controls") }, ...filters.map(({ label }) => label), reset);
  const status = make("p", { role: "status", className: "quiet" });
  const head = make("tr", { role: "row" });
  const body = make("tbody", { role: "rowgroup" });
  // Roles are said, since a phone shows rows as blocks, and blocks lose them.
  const table = make("table", { className: "list", role: "table" }, make("thead", { role: "rowgroup" }, head), body);
  const empty = make("p", { textContent: say("list.empty"), hidden: true });
  const more = button("", () => show(shown + SLICE));
  const everything = button("", () => show(matching.length));
  const download = button("", save);
  place.append(
    ...(tabs.length > 1 ? [make("fieldset", { className: "tabs" }, make("legend", { className: "hidden", textContent: say("list.which") }), ...tabs.map(({ label }) => label))] : []),
    controls,
    make("div", { className: "bar-above" }, status, make("div", { className: "order" }, make("label", {}, make("span", { textContent: say("list.sort") }), order), turn), download),
    table, empty, make("div", { className: "after" }, more, everything),
  );

  function advisory(id) {
    if (/^CVE-[0-9]{4}-[0-9]{4,19}$/.test(id)) return `https://nvd.nist.gov/vuln/detail/${id}`;
    if (/^GHSA(-[0-9a-z]{4}){3}$/.test(id)) return `https://github.com/advisories/${id}`;
    return null;
  }
  const cell = (name, ...children) => make("td", { role: "cell", className: `c-${name}` }, ...children);
  const sub = (...children) => make("span", { className: "sub" }, ...children);

  function copy(text) {
    const made = button(say("list.copy"), async () => {
      try {
        await navigator.clipboard.writeText(text);
        made.textContent = say("list.copied");
      } catch {
        // Where the browser does not allow it, the text is selected, so that a key copies it.
        getSelection().selectAllChildren(made.previousElementSibling);
        made.textContent = say("list.selected");
      }
    }, { className: "textual", "aria-live": "polite" });
    return made;
  }

  function fill(details, row) {
    const list = make("dl");
    const add = (key, ...children) => list.append(make("dt", { textContent: say(key) }), make("dd", {}, ...children));
    const console = row.finding_arn && consoles.get(row.finding_arn.split(":", 4).join(":"));
    if (row.packages.length) add("list.packages", ...long(row.packages.join(", ")));
    if (row.first_seen) add("list.first_seen", days.get(row.first_seen));
    if (row.owner && row.previous_owner) add("list.previous_owner", isolated(known("owner", row.previous_owner)));
    if (row.previous_severity && row.previous_severity !== row.severity) add("list.previous_severity", known("severity", row.previous_severity));
    if (row.epss_score !== undefined) add("list.epss", row.epss_score.toLocaleString(language, { style: "percent", maximumFractionDigits: 2 }));
    if (row.resource_type) add("list.type", ...long(known("type", row.resource_type)));
    if (row.resource_id && row.resource_id !== row.resource) add("list.resource_id", ...long(row.resource_id), copy(row.resource_id));
    if (row.finding_arn) add("list.arn", ...long(row.finding_arn), copy(row.finding_arn));
    if (row.previous_finding_arn) add("list.previous_arn", ...long(row.previous_finding_arn));
    if (console) add("list.console", link(console + encodeURIComponent(row.finding_arn), say("list.inspector")));
    details.append(list);
  }

  function dueCell(row) {
    const children = [];
    if (row.due_on) children.push(days.get(row.due_on));
    if (["overdue", "soon"].includes(row.due)) children.push(" ", make("span", { className: row.due, textContent: say(`due.${row.due}`) }));
    if (row.due === "unknown") children.push(say("due.unknown"));
    if (row.days_open !== undefined) children.push(sub(say("list.days_open", { n: row.days_open })));
    const made = cell("due", ...children);
    made.dataset.name = say("list.due");
    return made;
  }

  function daysCell(row) {
    const made = cell("days", row.days_open === undefined ? "–" : numbers.format(row.days_open));
    made.dataset.name = say("list.days");
    return made;
  }

  function draw(row) {
    const address = row.vulnerability_id && advisory(row.vulnerability_id);
    const name = row.name || say("list.unnamed");
    const finding = address ? [link(address, name)] : long(name);
    // Inspector begins most titles with the vulnerability's id.
    const rest = row.title?.startsWith(row.name) ? row.title.slice(row.name.length).replace(/^ - /, "") : row.title;
    const details = make("details", {}, make("summary", { textContent: say("list.details") }));
    details.addEventListener("toggle", () => fill(details, row), { once: true });
    const resource = row.console && row.resource.length <= data.cut_after ? [link(row.console, row.resource)] : long(row.resource ?? say("list.unnamed"));
    const where = row.account_id ? [...long(row.account_id), ...(row.region ? [" · ", isolated(row.region)] : [])] : [];
    const help = [];
    if (row.exploit_available) help.push(make("span", { className: "sub hot-text", textContent: say("fix.exploit") }));
    if (["REACHABLE", "NOT_REACHABLE"].includes(row.runtime_reachability)) help.push(sub(known("runs", row.runtime_reachability)));
    if (row.in_use_count > 0) help.push(sub(known("runs", "IN_USE")));
    if (row.fix_available) help.push(sub(known("fix", row.fix_available)));
    const first = row.list === "open"
      ? cell("priority", ...(row.priority_score === undefined ? [] : [numbers.format(row.priority_score)]))
      : cell("kind", make("span", { textContent: known("kind", row.kind), title: say(`meaning.${row.kind}`) }));
    first.dataset.name = say("list.priority");
    if (row.previous_owner) first.append(sub(say("list.from", { owner: known("owner", row.previous_owner) })));
    return make(
      "tr", { role: "row" }, first,
      cell("severity", make("span", { className: `severity s-${weight.has(row.severity) ? row.severity.toLowerCase() : "other"}`, textContent: known("severity", row.severity) })),
      cell("finding", ...finding, ...(rest ? [sub(...long(rest))] : []), ...(row.packages.length ? [sub(...long(row.packages.join(", ")))] : []), details),
      cell("resource", ...resource, ...(where.length ? [sub(...where)] : []), ...(row.owner && row.owner !== data.owner ? [sub(isolated(known("owner", row.owner), "owner"))] : [])),
      data.has_due_dates ? dueCell(row) : daysCell(row), cell("help", ...help),
    );
  }

  function drawUpTo(count) {
    body.append(...matching.slice(body.childElementCount, count).map(draw));
    shown = body.childElementCount;
    const left = matching.length - shown;
    const all = tabs.find(({ name }) => name === state.list).count;
    more.hidden = left <= SLICE;
    more.textContent = say("list.more", { n: SLICE });
    everything.hidden = left <= 0;
    everything.textContent = say("list.everything", { n: matching.length });
    status.textContent = say(matching.length === all ? "list.shown" : "list.filtered", { shown, matching: matching.length, all });
  }

  function redraw() {
    const here = columns.filter(({ only }) => !only || only === state.list);
    const column = here.find(({ name }) => name === state.sort) ?? here.find(({ name }) => name === START[state.list]);
    state.sort = column.name;
    for (const { name, control } of tabs) control.checked = name === state.list;
    for (const { label, only } of filters) label.hidden = Boolean(only) && only !== state.list;
    order.replaceChildren(...here.map(({ name, text }) => option([name, text])));
    order.value = state.sort;
    if (table.dataset.list !== state.list) {
      table.dataset.list = state.list;
      table.setAttribute("aria-label", say(`list.name_${state.list}`));
      head.replaceChildren(...here.filter(({ isHidden }) => !isHidden).map(({ name, text }) =>
        make("th", { scope: "col", role: "columnheader", className: `c-${name}` },
          button(text, () => sort(name, name === state.sort ? !state.down : undefined)), make("span", { className: "plain", textContent: text }))));
    }
    for (const each of head.children) {
      if (each.className === `c-${state.sort}`) each.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else each.removeAttribute("aria-sort");
    }
    const active = filters.filter(({ control, only }) => control.value && (!only || only === state.list));
    const sign = state.down ? -1 : 1;
    matching = rows
      .filter((row) => row.list === state.list && active.every(({ holds, control }) => holds(row, control.value)))
      .sort((a, b) => sign * column.compare(a, b) || worst(a, b) || a.order - b.order);
    body.replaceChildren();
    empty.hidden = matching.length > 0;
    table.hidden = download.hidden = matching.length === 0;
    download.textContent = say("list.download", { n: matching.length });
    drawUpTo(SLICE);
  }

  function sort(column, down = columns.find(({ name }) => name === column).descends) {
    state.sort = column;
    state.down = down;
    redraw();
    remember();
  }

  // Buttons go where the focus was: to the first new row's first control.
  function show(count) {
    const first = body.childElementCount;
    drawUpTo(count);
    body.children[first]?.querySelector("a, summary, button")?.focus();
  }

  // The address after the #: everything that was chosen, so that a copy of the address shows the same.
  function remember() {
    const chosen = new URLSearchParams({ list: state.list });
    for (const { name, control } of filters) if (control.value) chosen.set(name, control.value);
    if (state.sort !== START[state.list] || state.down !== columns.find(({ name }) => name === state.sort).descends) chosen.set("sort", `${state.down ? "-" : ""}${state.sort}`);
    history.replaceState(null, "", `#${chosen}`);
  }

  function restore(chosen) {
    state.list = data.lists.includes(chosen.get("list")) ? chosen.get("list") : data.lists[0];
    const sorted = chosen.get("sort") ?? "";
    const column = columns.find(({ name }) => name === sorted.replace("-", "")) ?? columns.find(({ name }) => name === START[state.list]);
    state.sort = column.name;
    state.down = sorted ? sorted.startsWith("-") : column.descends;
    for (const { name, control } of filters) {
      const value = (chosen.get(name) ?? "").slice(0, MOST_CHARACTERS);
      // A value that no finding has finds none, rather than all.
      if (value && control.options && ![...control.options].some((each) => each.value === value)) control.append(option([value, value]));
      control.value = value;
    }
    redraw();
  }

  function follow() {
    const chosen = new URLSearchParams(location.hash.slice(1));
    if (!chosen.has("list")) return false;
    restore(chosen);
    place.closest("details").open = true;
    place.closest("section").scrollIntoView();
    return true;
  }

  const FIELDS = [
    "list", "kind", "severity", "priority_score", "vulnerability_id", "title", "packages", "owner", "previous_owner", "due_on", "due", "first_seen", "days_open",
    "account_id", "region", "resource_type", "resource", "resource_id", "exploit_available", "fix_available", "runtime_reachability", "in_use_count", "epss_score", "finding_arn",
  ];
  // Rows as CSV. A spreadsheet must not take a text for a formula.
  function csv(listed) {
    const field = (value) => {
      const text = Array.isArray(value) ? value.join("; ") : String(value ?? "");
      return `"${(typeof value !== "number" && /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
    };
    return [FIELDS, ...listed.map((row) => FIELDS.map((name) => row[name]))].map((each) => each.map(field).join(",")).join("\r\n");
  }

  function save() {
    const address = URL.createObjectURL(new Blob(["\ufeff", csv(matching), "\r\n"], { type: "text/csv;charset=utf-8" }));
    make("a", { href: address, download: `${data.file}-${state.list}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }

  let waiting = 0;
  const choose = () => { redraw(); remember(); };
  for (const { control } of filters) {
    control.addEventListener("input", control.options ? choose : () => {
      cancelAnimationFrame(waiting);
      waiting = requestAnimationFrame(choose);
    });
  }
  addEventListener("hashchange", follow);
  // The same link once more shows its findings once more.
  document.addEventListener("click", (event) => {
    const clicked = event.target.closest?.('a[href^="#list="]');
    if (clicked && clicked.hash === location.hash) follow();
  });
  if (!follow()) restore(new URLSearchParams());
})();
