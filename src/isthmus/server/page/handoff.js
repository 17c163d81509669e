// The page at /handoff: what waits for consent, as it would leave beside what was asked; send it, or don't.
// It builds elements, never markup. The key stays in the page; the address may bring it, or the id of one
// hand-over, behind its #, which no browser sends anywhere.

const HERE = "/isthmus/handoff/pending";
const byId = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function headers() {
  const key = byId("key").value;
  return { "Content-Type": "application/json", ...(key ? { Authorization: `Bearer ${key}` } : {}) };
}

async function ask(path, method = "GET", body = undefined) {
  const response = await fetch(HERE + path, { method, headers: headers(), body: body && JSON.stringify(body) });
  if (response.ok) return response;
  const { error } = await response.json();
  throw new Error(error.hint ? `${error.message} (${error.hint})` : error.message);
}

// ------------------------------------------------------------ what waits

async function load() {
  const said = byId("said");
  const asked = decodeURIComponent(location.hash.slice(1));
  if (asked.startsWith("key=")) {
    byId("key").value = asked.slice("key=".length);
    history.replaceState(null, "", location.pathname);
  }
  try {
    const one = asked && !asked.startsWith("key=");
    const ids = one ? [asked] : (await (await ask("")).json()).pending.map((each) => each.id);
    const cards = await Promise.all(ids.map(card));
    byId("waiting").replaceChildren(...(cards.length ? cards : [nothing()]));
    said.textContent = cards.length ? `${cards.length} waiting` : "";
  } catch (error) {
    byId("waiting").replaceChildren();
    said.textContent = error.message;
    byId("key").focus();
  }
}

const nothing = () => element("p", { className: "empty", textContent: "Nothing waits for your consent." });

async function card(id) {
  const shown = await (await ask(`/${encodeURIComponent(id)}`)).json();
  const title = element("h2", { id: `title-${id}`, textContent: shown.question || "A question that was decided" });
  if (shown.status !== "pending") {
    return element("article", { className: "hand" }, title, element("p", { className: "faint", textContent: became(shown) }));
  }
  const article = element(
    "article",
    { className: "hand" },
    title,
    element("p", { className: "faint", textContent: why(shown) }),
    element(
      "div",
      { className: "sides" },
      side("What was asked: stays here", "", shown.original, []),
      side(`What would leave, to ${shown.host}`, " leaves", shown.leaves.messages ?? [], Object.keys(shown.placeholders)),
    ),
    rest(shown),
    decision(shown),
  );
  article.setAttribute("aria-labelledby", title.id);
  return article;
}

function became(shown) {
  const cost = shown.cost_usd ? `, for ${dollars(shown.cost_usd)}` : "";
  return `${shown.status[0].toUpperCase()}${shown.status.slice(1)}${cost}.`;
}

function why(shown) {
  const chance = shown.decision.p_local_wrong;
  const doubt = chance === undefined ? "" : ` (${Math.round(100 * chance)}% likely wrong at home)`;
  const key = shown.key ? ` · asked with the key ${shown.key}` : "";
  const until = new Date(shown.expires).toLocaleString();
  return `${shown.decision.reason.replaceAll("_", " ")}${doubt}${key} · waits until ${until}`;
}

function side(caption, kind, messages, placeholders) {
  const list = element("ol", { tabIndex: 0 }, ...messages.map((message) => line(message, placeholders)));
  list.setAttribute("aria-label", caption);
  return element("figure", { className: `side${kind}` }, element("figcaption", { textContent: caption }), list);
}

function line(message, placeholders) {
  return element(
    "li",
    {},
    element("span", { className: "role", textContent: message.role }),
    element("span", { className: "text" }, ...marked(textOf(message), placeholders)),
  );
}

function textOf(message) {
  const said = typeof message.content === "string" ? message.content : partsOf(message.content ?? []);
  const calls = message.tool_calls?.length ? `\n${JSON.stringify(message.tool_calls, null, 1)}` : "";
  return said + calls;
}

const partsOf = (parts) => parts.map((part) => part.text ?? `[${part.type}]`).join("\n");

function marked(text, placeholders = []) {
  if (!placeholders.length) return [text];
  const longestFirst = [...placeholders].sort((one, other) => other.length - one.length);
  const found = new RegExp(`(${longestFirst.map((each) => each.replace(/[^\w]/g, "\\$&")).join("|")})`);
  return text.split(found).map((piece, place) => (place % 2 ? element("mark", { textContent: piece }) : piece));
}

function rest(shown) {
  const { messages, ...others } = shown.leaves;
  const stands = Object.entries(shown.placeholders).map(([token, original]) =>
    element("li", {}, element("mark", { textContent: token }), " stands for ", element("b", { textContent: original })),
  );
  const said = stands.length ? `${stands.length} replaced, and put back in the answer` : "Nothing in it was replaced";
  return element(
    "details",
    {},
    element("summary", { textContent: `${said}; ${shown.sent_bytes.toLocaleString()} bytes in all` }),
    element("ul", {}, ...stands),
    shown.alternatives.length ? element("p", { textContent: `Where this fails, it goes to ${shown.alternatives.join(", then ")}.` }) : null,
    element("pre", { textContent: JSON.stringify(others, null, 2), tabIndex: 0 }),
  );
}

// ------------------------------------------------------------ the decision

function decision(shown) {
  const status = element("p", { className: "faint", role: "status" });
  const answer = element("div", { className: "answer text" });
  const send = element("button", { type: "button", className: "send", textContent: "Send" });
  const decline = element("button", { type: "button", textContent: "Decline" });
  const price = element("span", { className: "price", textContent: `${shown.provider} · ${shown.model} · at most ${dollars(shown.worst_usd)}` });
  const decided = (work) => async () => {
    [send.disabled, decline.disabled] = [true, true];
    try {
      await work();
    } catch (error) {
      status.className = "failed";
      status.textContent = error.message;
    }
  };
  send.addEventListener("click", decided(() => approve(shown, status, answer)));
  decline.addEventListener("click", decided(async () => {
    await ask(`/${shown.id}/decline`, "POST", {});
    status.textContent = "Declined: it is never sent, and its text is deleted.";
  }));
  return element("div", {}, element("div", { className: "decide" }, send, decline, price), status, answer);
}

async function approve(shown, status, answer) {
  status.textContent = `${shown.provider} answers…`;
  const response = await ask(`/${shown.id}/approve`, "POST", { digest: shown.digest, stream: true });
  let ended = false;
  for await (const event of events(response)) {
    if (event === "[DONE]") {
      ended = true;
      break;
    }
    const chunk = JSON.parse(event);
    if (chunk.error) throw new Error(chunk.error.message);
    answer.append(chunk.choices?.[0]?.delta?.content ?? "");
    if (chunk.isthmus?.cost_usd) status.textContent = `Answered by ${shown.model}, for ${dollars(chunk.isthmus.cost_usd)}.`;
  }
  if (!ended) throw new Error("the answer was cut: what is shown is not whole");
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    const lines = (pending + value).split("\n");
    pending = lines.pop();
    for (const each of lines) if (each.startsWith("data: ")) yield each.slice("data: ".length);
  }
}

function dollars(amount) {
  const [whole, fraction = ""] = Number(amount).toFixed(9).split(".");
  return `$${whole}.${fraction.replace(/0+$/, "").padEnd(2, "0")}`;
}

byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  load();
});
addEventListener("hashchange", load);
load();
