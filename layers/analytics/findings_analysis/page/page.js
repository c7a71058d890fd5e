// The list of changed findings. It writes text, never HTML; a slice of the rows is drawn at a time, so that thousands stay quick.
"use strict";
(() => {
  const place = document.getElementById("list");
  if (!place) return;
  const SLICE = 100;
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
  const option = (value, text) => make("option", { value, textContent: text });
  // What a report says is set apart from the page's own text direction.
  const isolated = (text, className = "") => make("bdi", { textContent: text, className });

  function long(text) {
    if (text.length <= data.cut_after) return [isolated(text)];
    const shown = isolated(`${text.slice(0, data.cut_after)}…`, "whole");
    const button = make("button", { type: "button", className: "textual", textContent: say("list.text_more"), "aria-expanded": "false" });
    button.addEventListener("click", () => {
      const opens = button.getAttribute("aria-expanded") === "false";
      shown.textContent = opens ? text : `${text.slice(0, data.cut_after)}…`;
      button.textContent = say(opens ? "list.text_less" : "list.text_more");
      button.setAttribute("aria-expanded", String(opens));
    });
    return [shown, button];
  }

  const weight = new Map(data.severities.map((severity, place) => [severity, place]));
  const rows = data.rows.map((row, order) => {
    row.order = order;
    row.weight = weight.get(row.severity) ?? weight.size;
    row.days_open ??= 0;
    row.name = row.vulnerability_id ?? row.title ?? "";
    row.packages ??= [];
    row.help = (row.exploit_available ? 0 : 4) + (["YES", "PARTIAL", "NO"].indexOf(row.fix_available) + 4) % 4;
    row.haystack = [
      row.vulnerability_id, row.title, row.resource, row.account_id, row.region, row.resource_type, known("type", row.resource_type), ...row.packages, row.finding_arn,
      known("kind", row.kind), known("severity", row.severity),
    ].join("\n").toLocaleLowerCase(language);
    return row;
  });

  // Columns: name, text, order of two rows, and whether the order begins with the largest.
  const worst = (a, b) => a.weight - b.weight;
  const columns = [
    ["kind", "list.kind", (a, b) => a.order - b.order],
    ["severity", "list.severity", worst],
    ["finding", "list.finding", (a, b) => collator.compare(a.name, b.name)],
    ["resource", "list.resource", (a, b) => collator.compare(a.resource ?? "", b.resource ?? "")],
    ["days", "list.days", (a, b) => a.days_open - b.days_open, true],
    ["help", "list.help", (a, b) => a.help - b.help],
  ];
  const sorting = { column: "severity", down: false };
  let matching = rows;
  let shown = SLICE;

  // Controls
  const labelled = (text, control, className = "") => make("label", { className }, make("span", { textContent: text }), control);
  const ticked = (text, control) => make("label", { className: "tick" }, control, make("span", { textContent: text }));
  const search = make("input", { type: "search", placeholder: say("list.search_hint"), autocomplete: "off", spellcheck: false });
  const kind = make("select", {}, option("", say("list.all")));
  for (const group of new Set(rows.map((row) => row.group))) {
    const kinds = [...new Set(rows.filter((row) => row.group === group).map((row) => row.kind))];
    kind.append(option(`group:${group}`, say(`group.${group}`)));
    if (kinds.length > 1 || group === "stayed") for (const each of kinds) kind.append(option(`kind:${each}`, `– ${known("kind", each)}`));
  }
  const severity = make("select", {}, option("", say("list.all")));
  for (const each of data.severities) if (rows.some((row) => row.severity === each)) severity.append(option(each, known("severity", each)));
  const account = make("select", {}, option("", say("list.all")));
  for (const each of [...new Set(rows.map((row) => row.account_id).filter(Boolean))].sort(collator.compare)) account.append(option(each, each));
  const exploit = make("input", { type: "checkbox" });
  const fix = make("input", { type: "checkbox" });
  const order = make("select", {}, ...columns.map(([name, text]) => option(name, say(text))));
  const turn = make("button", { type: "button", textContent: "⇅", title: say("list.order"), "aria-label": say("list.order") });
  const reset = make("button", { type: "button", textContent: say("list.reset") });
  const controls = make(
    "div", { className: "controls", role: "group", "aria-label": say("list.controls") },
    labelled(say("list.search"), search, "search"), labelled(say("list.kind"), kind), labelled(say("list.severity"), severity),
    labelled(say("list.account"), account), ticked(say("list.exploit"), exploit), ticked(say("list.fix"), fix), reset,
    make("div", { className: "order" }, labelled(say("list.sort"), order), turn),
  );

  // Table; roles are said, since a phone shows rows as blocks, and blocks lose them.
  const heads = columns.map(([name, text, , descends]) => {
    const button = make("button", { type: "button", textContent: say(text) });
    button.addEventListener("click", () => sort(name, sorting.column === name ? !sorting.down : Boolean(descends)));
    return make("th", { scope: "col", role: "columnheader", className: `c-${name}` }, button, make("span", { className: "plain", textContent: say(text) }));
  });
  const body = make("tbody", { role: "rowgroup" });
  const table = make(
    "table", { className: "list", role: "table", "aria-label": place.dataset.name },
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...heads)), body,
  );
  const status = make("p", { role: "status", className: "quiet" });
  const empty = make("p", { textContent: say("list.empty"), hidden: true });
  const more = make("button", { type: "button" });
  const everything = make("button", { type: "button" });
  place.append(controls, status, table, empty, make("div", { className: "after" }, more, everything));

  function advisory(id) {
    if (/^CVE-[0-9]{4}-[0-9]{4,19}$/.test(id)) return `https://nvd.nist.gov/vuln/detail/${id}`;
    if (/^GHSA(-[0-9a-z]{4}){3}$/.test(id)) return `https://github.com/advisories/${id}`;
    return null;
  }
  const cell = (name, ...children) => make("td", { role: "cell", className: `c-${name}` }, ...children);
  const sub = (...children) => make("span", { className: "sub" }, ...children);

  function details(row) {
    const list = make("dl");
    const fields = [
      ["list.first_seen", data.days[row.first_seen]], ["list.packages", row.packages.join(", ")], ["list.type", row.resource_type && known("type", row.resource_type)],
      ["list.previous_severity", row.previous_severity && row.previous_severity !== row.severity ? known("severity", row.previous_severity) : ""],
      ["list.arn", row.finding_arn], ["list.previous_arn", row.previous_finding_arn],
    ];
    for (const [key, text] of fields) if (text) list.append(make("dt", { textContent: say(key) }), make("dd", {}, ...long(text)));
    return make("details", {}, make("summary", { textContent: say("list.details") }), list);
  }

  function draw(row) {
    const link = row.vulnerability_id && advisory(row.vulnerability_id);
    const name = row.name || say("list.unnamed");
    const finding = link ? [make("a", { href: link, rel: "noreferrer noopener", textContent: name })] : long(name);
    // Inspector begins most titles with the vulnerability's id.
    const rest = row.title?.startsWith(row.name) ? row.title.slice(row.name.length).replace(/^ - /, "") : row.title;
    const title = rest ? [sub(...long(rest))] : [];
    const where = row.account_id ? [...long(row.account_id), ...(row.region ? [" · ", isolated(row.region)] : [])] : [];
    const help = [];
    if (row.exploit_available) help.push(make("span", { className: "sub hot-text", textContent: say("fix.exploit") }));
    if (row.fix_available) help.push(sub(known("fix", row.fix_available)));
    const days = cell("days", numbers.format(row.days_open));
    days.dataset.name = say("list.days");
    return make(
      "tr", { role: "row" },
      cell("kind", make("span", { textContent: known("kind", row.kind), title: say(`meaning.${row.kind}`) })),
      cell("severity", make("span", { className: `severity s-${row.severity.toLowerCase()}`, textContent: known("severity", row.severity) })),
      cell("finding", ...finding, ...title, details(row)),
      cell("resource", ...long(row.resource ?? say("list.unnamed")), ...(where.length ? [sub(...where)] : [])),
      days, cell("help", ...help),
    );
  }

  function drawUpTo(count) {
    const slice = matching.slice(body.childElementCount, count);
    body.append(...slice.map(draw));
    shown = body.childElementCount;
    const left = matching.length - shown;
    more.hidden = left <= SLICE;
    more.textContent = say("list.more", { n: SLICE });
    everything.hidden = left <= 0;
    everything.textContent = say("list.everything", { n: matching.length });
    status.textContent = say(matching.length === rows.length ? "list.shown" : "list.filtered", { shown, matching: matching.length, all: rows.length });
  }

  function redraw() {
    const words = search.value.toLocaleLowerCase(language).split(/\s+/).filter(Boolean);
    const [what, value] = kind.value.split(":");
    const compare = columns.find(([name]) => name === sorting.column)[2];
    const sign = sorting.down ? -1 : 1;
    matching = rows
      .filter((row) => (!value || row[what] === value) && (!severity.value || row.severity === severity.value)
        && (!account.value || row.account_id === account.value) && (!exploit.checked || row.exploit_available)
        && (!fix.checked || row.fix_available === "YES") && words.every((word) => row.haystack.includes(word)))
      .sort((a, b) => sign * compare(a, b) || worst(a, b) || a.order - b.order);
    columns.forEach(([name], place) => {
      if (name === sorting.column) heads[place].setAttribute("aria-sort", sorting.down ? "descending" : "ascending");
      else heads[place].removeAttribute("aria-sort");
    });
    order.value = sorting.column;
    body.replaceChildren();
    empty.hidden = matching.length > 0;
    table.hidden = matching.length === 0;
    drawUpTo(SLICE);
  }

  function sort(column, down) {
    sorting.column = column;
    sorting.down = down;
    redraw();
  }

  // Buttons go where the focus was: to the first new row's first control.
  function show(count) {
    const first = body.childElementCount;
    drawUpTo(count);
    body.children[first]?.querySelector("a, summary, button")?.focus();
  }
  more.addEventListener("click", () => show(shown + SLICE));
  everything.addEventListener("click", () => show(matching.length));
  let waiting = 0;
  search.addEventListener("input", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(redraw);
  });
  for (const control of [kind, severity, account, exploit, fix]) control.addEventListener("change", redraw);
  order.addEventListener("change", () => sort(order.value, Boolean(columns.find(([name]) => name === order.value)[3])));
  turn.addEventListener("click", () => sort(sorting.column, !sorting.down));
  reset.addEventListener("click", () => {
    for (const control of [search, kind, severity, account]) control.value = "";
    exploit.checked = fix.checked = false;
    sort("severity", false);
    search.focus();
  });
  // A link of a section shows its findings in the list.
  for (const link of document.querySelectorAll("a[data-group]")) {
    link.addEventListener("click", () => {
      place.closest("details").open = true;
      for (const control of [search, severity, account]) control.value = "";
      exploit.checked = fix.checked = false;
      kind.value = `group:${link.dataset.group}`;
      redraw();
    });
  }
  redraw();
})();
