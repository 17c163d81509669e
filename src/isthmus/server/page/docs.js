// The page at /docs: reads /openapi.json, shows its operations, and sends requests to them.
// It builds elements, never markup, and keeps the key in the page alone.

const METHODS = ["get", "post", "put", "patch", "delete"];
const byId = (id) => document.getElementById(id);
let api;
let model;

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const authorization = () => (byId("key").value ? { Authorization: `Bearer ${byId("key").value}` } : {});

// ------------------------------------------------------------ the document

async function load() {
  const said = byId("said");
  const response = await fetch("/openapi.json", { headers: authorization() });
  if (!response.ok) {
    const problem = await response.json();
    said.textContent = `${problem.error.message}: ${problem.error.hint ?? ""}`;
    byId("key").focus();
    return;
  }
  api = await response.json();
  model = await firstModel();
  said.replaceChildren("The document itself: ", element("a", { href: "/openapi.json", textContent: "/openapi.json" }));
  byId("version").textContent = api.info.version;
  show();
}

async function firstModel() {
  const response = await fetch("/v1/models", { headers: authorization() });
  return response.ok ? (await response.json()).data[0]?.id : undefined;
}

function show() {
  const sections = api.tags.map((tag) => [tag, operationsOf(tag.name)]).filter(([, found]) => found.length);
  byId("contents").replaceChildren(
    ...sections.map(([tag]) => element("a", { href: `#${tag.name}`, textContent: tag.name })),
  );
  byId("operations").replaceChildren(
    ...prose(api.info.description),
    ...sections.map(([tag, found]) =>
      element("section", {}, element("h2", { id: tag.name, textContent: tag.name }), ...prose(tag.description), ...found),
    ),
  );
}

function operationsOf(tag) {
  return Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]?.tags.includes(tag)).map((method) => operation(path, method, item)),
  );
}

function operation(path, method, item) {
  const said = item[method];
  const inside = element("div");
  const card = element(
    "details",
    { className: "operation", id: said.operationId },
    element(
      "summary",
      {},
      element("span", { className: `method ${method.toUpperCase()}`, textContent: method.toUpperCase() }),
      element("span", { className: "path", textContent: path }),
      element("span", { className: "faint", textContent: said.summary }),
    ),
    inside,
  );
  card.addEventListener("toggle", () => inside.append(...details(path, method, item)), { once: true });
  return card;
}

function details(path, method, item) {
  const said = item[method];
  const body = said.requestBody?.content["application/json"];
  const parts = [...prose(said.description)];
  if (body) parts.push(element("h3", { textContent: "Body" }), schemaView(body.schema));
  parts.push(element("h3", { textContent: "Answers" }));
  for (const [status, answer] of Object.entries(said.responses)) parts.push(answerView(status, resolved(answer)));
  parts.push(element("h3", { textContent: "Try it" }), trial(path, method, item, body));
  return parts;
}

function answerView(status, answer) {
  const media = Object.entries(answer.content ?? {}).map(([type, { schema }]) =>
    // What a stream's events carry says more than that they are events.
    element("li", {}, element("code", { textContent: type }), schemaView(schema.properties?.data?.contentSchema ?? schema)),
  );
  return element(
    "details",
    {},
    element("summary", { textContent: `${status} ` }, element("span", { className: "faint", textContent: answer.description.split("\n")[0] })),
    ...prose(answer.description.split("\n").slice(1).join("\n")),
    element("ul", { className: "schema" }, ...media),
  );
}

// ------------------------------------------------------------ schemas

function resolved(value) {
  if (!value?.$ref) return value;
  return value.$ref.split("/").slice(1).reduce((node, key) => node[key], api);
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.oneOf) return schema.oneOf.map(typeOf).join(" | ");
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.type === "array") return `[${typeOf(schema.items ?? {})}]`;
  return [schema.type ?? "any"].flat().join(" | ");
}

function inner(schema) {
  const own = resolved(schema);
  if (own.properties) return [own];
  if (own.items) return inner(own.items);
  return (own.anyOf ?? own.oneOf ?? []).flatMap(inner);
}

function schemaView(schema) {
  const objects = inner(schema);
  if (!objects.length) return element("code", { textContent: typeOf(schema) });
  const lists = objects.map((object) => {
    const rows = Object.entries(object.properties).map(([name, field]) => row(name, field, object.required?.includes(name)));
    return element("ul", { className: "schema" }, objects.length > 1 ? element("li", { className: "faint", textContent: object.title }) : null, ...rows);
  });
  return element("div", {}, ...lists);
}

function row(name, field, required) {
  const label = [
    element("code", { className: required ? "required" : "", textContent: name }),
    " ",
    element("span", { className: "faint", textContent: [typeOf(field), limits(field), field.description].filter(Boolean).join(" · ") }),
  ];
  if (!inner(field).length) return element("li", {}, ...label);
  const nested = element("details", {}, element("summary", {}, ...label));
  nested.addEventListener("toggle", () => nested.append(schemaView(field)), { once: true });
  return element("li", {}, nested);
}

function limits(field) {
  for (const each of [field, ...(field.anyOf ?? [])]) {
    const [low, high] = [each.minimum ?? each.exclusiveMinimum, each.maximum ?? each.exclusiveMaximum];
    if (low !== undefined && high !== undefined) return `${low} to ${high}`;
    if (low !== undefined) return `at least ${low}`;
    if (high !== undefined) return `at most ${high}`;
  }
  return "";
}

// ------------------------------------------------------------ trying it

function trial(path, method, item, body) {
  const parameters = [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map(resolved);
  const inputs = parameters.map((parameter) => ({
    parameter,
    input: element("input", { value: parameter.name === "model" ? (model ?? "") : "", id: `${item[method].operationId}-${parameter.name}` }),
  }));
  const text = body && element("textarea", { value: exampleOf(body), spellcheck: false, ariaLabel: "Body" });
  const status = element("p", { className: "faint", role: "status" });
  const output = element("pre", { hidden: true, tabIndex: 0 });
  const send = element("button", { type: "submit", textContent: "Send" });
  const stop = element("button", { type: "button", textContent: "Stop", disabled: true });
  const fields = inputs.map(({ parameter, input }) =>
    element("div", { className: "field" }, element("label", { htmlFor: input.id, textContent: parameter.name }), input, element("span", { className: "faint", textContent: parameter.description ?? "" })),
  );
  const form = element("form", { autocomplete: "off" }, ...fields, text, element("p", {}, send, " ", stop), status, output);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const controller = new AbortController();
    stop.onclick = () => controller.abort();
    [send.disabled, stop.disabled] = [true, false];
    try {
      await exchange(address(path, inputs), method, text?.value, controller.signal, status, output);
    } catch (error) {
      status.textContent = error.name === "AbortError" ? "stopped" : String(error);
    } finally {
      [send.disabled, stop.disabled] = [false, true];
    }
  });
  return form;
}

function exampleOf(body) {
  const example = { ...(body.example ?? {}) };
  if ("model" in example && model) example.model = model;
  return JSON.stringify(example, null, 2);
}

function address(path, inputs) {
  const query = new URLSearchParams();
  for (const { parameter, input } of inputs) {
    // A model's name may hold slashes, which stay what they are.
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value).replaceAll("%2F", "/"));
    else if (input.value) query.append(parameter.name, input.value);
  }
  return query.size ? `${path}?${query}` : path;
}

async function exchange(url, method, body, signal, status, output) {
  const started = performance.now();
  const headers = { ...authorization(), ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  const response = await fetch(url, { method: method.toUpperCase(), headers, body, signal });
  status.className = response.ok ? "faint" : "failed";
  status.textContent = `${response.status} ${response.statusText}`;
  output.hidden = false;
  output.textContent = "";
  const type = response.headers.get("content-type") ?? "";
  for await (const piece of pieces(response)) output.append(piece);
  status.textContent += ` · ${Math.round(performance.now() - started)} ms`;
  if (type.startsWith("application/json") && output.textContent) {
    output.textContent = JSON.stringify(JSON.parse(output.textContent), null, 2);
  }
}

async function* pieces(response) {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) yield value;
}

// ------------------------------------------------------------ words

function prose(text = "") {
  return text
    .split(/\n{2,}/)
    .filter((block) => block.trim())
    .map((block) => {
      const lines = block.trim().split("\n");
      if (!lines[0].startsWith("- ")) return element("p", {}, ...inline(block));
      return element("ul", {}, ...lines.map((line) => element("li", {}, ...inline(line.replace(/^- /, "")))));
    });
}

const inline = (text) => text.split(/(`+)(.+?)\1/).filter((each) => !/^`+$/.test(each)).map((each, place) => (place % 2 ? element("code", { textContent: each }) : each));

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  load();
});
load();
