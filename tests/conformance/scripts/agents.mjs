// OpenAI's Agents SDK for Node: a tool a case, over both of OpenAI's APIs, whole and streamed. What is looked
// at is what OpenAI looks at in those who serve its open models: the call's arguments fit the tool's schema,
// and, of a model that thinks (ISTHMUS_THINKS: with what effort), its thought is told where each API has its
// place for it.
// One JSON object a check on standard output.
import assert from "node:assert/strict";
import {
  Agent,
  OpenAIChatCompletionsModel,
  OpenAIResponsesModel,
  Runner,
  setTracingDisabled,
  tool,
} from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";

const { ISTHMUS_URL: baseURL, ISTHMUS_KEY: apiKey, ISTHMUS_MODEL: model, ISTHMUS_THINKS: thinks } = process.env;
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
setTracingDisabled(true);

// Of each tool: its parameters, whether they are strict, and arguments, which the question names.
const cases = {
  read_clock: { takes: z.object({}), given: {} },
  take_note: {
    takes: z.object({ text: z.string() }),
    given: { text: 'She said: "naïve – 東京 🗼"\n\tC:\\temp </tool_call> {"a": 1}' },
  },
  switch_lamp: { takes: z.object({ state: z.enum(["on", "off", "très doux"]) }), given: { state: "très doux" } },
  reserve_table: {
    takes: z.object({
      guests: z.int().min(1).max(20),
      where: z.object({ city: z.string(), address: z.object({ street: z.string(), number: z.int() }) }),
    }),
    given: { guests: 4, where: { city: "Lyon", address: { street: "rue Mercière", number: 12 } } },
  },
  add_up: { takes: z.object({ numbers: z.array(z.number()) }), given: { numbers: [1, -2.5, 3e-7, 0] } },
  order_parts: {
    takes: z.object({ parts: z.array(z.object({ name: z.string(), count: z.int() })), urgent: z.boolean() }),
    given: { parts: [{ name: "bolt M4", count: 40 }, { name: "nut", count: 1 }], urgent: false },
  },
  find_books: {
    takes: z.object({ words: z.string(), language: z.string().optional(), pages: z.int().optional() }),
    loose: true,
    given: { words: "sea stories", pages: 3 },
  },
  to_fahrenheit: { takes: z.object({ celsius: z.number() }), loose: true, given: { celsius: -40.5 } },
  set_alarm: {
    takes: z.object({ hour: z.int(), label: z.string().nullable(), days: z.array(z.enum(["sat", "sun"])) }),
    given: { hour: 7, label: null, days: [] },
  },
  store_value: {
    takes: z.object({ key: z.string(), value: z.union([z.string(), z.number(), z.boolean()]) }),
    given: { key: "a/b", value: "3" },
  },
};

function agentOf(name, { takes, loose, given }, api) {
  const only = tool({
    name,
    description: `${name.replaceAll("_", " ")}, as it is asked for`,
    // Copied, since the SDK would take zod's own for a strict one.
    parameters: loose ? { ...z.toJSONSchema(takes, { io: "input" }) } : takes,
    strict: !loose,
    execute: () => `${name}: done`,
  });
  return new Agent({
    name,
    instructions: "Use the tool, then say in a few words what it gave back.",
    model: api.open(),
    tools: [only],
    modelSettings: {
      temperature: 0,
      maxTokens: 256,
      parallelToolCalls: false,
      ...(thinks ? { reasoning: { effort: thinks } } : { toolChoice: "required" }),
    },
    // A small model would call again and again.
    toolUseBehavior: thinks ? "run_llm_again" : "stop_on_first_tool",
  });
}

const apis = {
  chat: {
    open: () => new OpenAIChatCompletionsModel(client, model),
    thought: (answer) => answer.choices[0].message.reasoning,
    streamed: (events) => events.map((each) => each.choices[0]?.delta.reasoning ?? "").join(""),
  },
  responses: {
    open: () => new OpenAIResponsesModel(client, model),
    thought: (answer) => thoughtOf(answer.output),
    streamed(events) {
      const of = (type) => events.filter((each) => each.type === type);
      const deltas = of("response.reasoning_text.delta").map((each) => each.delta).join("");
      const wholes = of("response.reasoning_text.done").map((each) => each.text).join("");
      const outputs = of("response.completed").map((each) => thoughtOf(each.response.output) ?? "").join("");
      assert.equal(deltas, wholes, "the thought's pieces and its whole differ");
      assert.equal(outputs, wholes, "the thought and the completed response differ");
      return wholes;
    },
  },
};

function thoughtOf(output) {
  const item = output.find((each) => each.type === "reasoning");
  if (!item) return undefined;
  assert.ok(Array.isArray(item.content) && item.content.length, "a reasoning item without content");
  for (const part of item.content) assert.equal(part.type, "reasoning_text");
  return item.content.map((part) => part.text).join("");
}

async function run(name, one, api, stream) {
  const say = thinks && one.loose ? " Say first what you are about to do." : "";
  const asked = `Use ${name}.${say} Arguments: ${JSON.stringify(one.given)}`;
  const result = await new Runner().run(agentOf(name, one, api), asked, { stream, maxTurns: 3 });
  const events = [];
  if (stream) {
    for await (const { type, data } of result)
      if (type === "raw_model_stream_event" && data.type === "model") events.push(data.event);
    await result.completed;
  }
  const call = result.newItems.find((item) => item.type === "tool_call_item")?.rawItem;
  assert.equal(call?.name, name, "the tool was not called");
  const parsed = JSON.parse(call.arguments);
  one.takes.parse(parsed);
  assert.ok(result.finalOutput, "no answer in the end");
  if (!thinks) return call.arguments;
  assert.deepEqual(parsed, one.given);
  const thought = stream ? api.streamed(events) : api.thought(result.rawResponses[0].providerData);
  assert.ok(typeof thought === "string" && thought, "no thought");
  return `${call.arguments} after ${thought.length} characters of thought`;
}

for (const [name, one] of Object.entries(cases)) {
  for (const [title, api] of Object.entries(apis)) {
    // A real model takes its time, and which API streams makes no difference to its call.
    for (const stream of thinks ? [false, true] : [title === "responses"]) {
      const check = `${name}: ${title}, ${stream ? "streamed" : "whole"}`;
      try {
        console.log(JSON.stringify({ check, did: await run(name, one, api, stream) }));
      } catch (error) {
        console.log(JSON.stringify({ check, failed: `${error.name}: ${error.message}` }));
      }
    }
  }
}
