// Anthropic's own client for Node; one JSON object a check on standard output.
import Anthropic from "@anthropic-ai/sdk";

const { ISTHMUS_ORIGIN: baseURL, ISTHMUS_KEY: apiKey, ISTHMUS_MODEL: model } = process.env;
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0 });
const few = { model, max_tokens: 48, messages: [{ role: "user", content: "What is the weather in Paris?" }] };
const tools = [
  {
    name: "weather",
    description: "The weather of a city.",
    input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
];

const checks = {
  async "creates a message"() {
    const { content, usage } = await client.messages.create(few);
    if (!usage.output_tokens) throw new Error("no usage");
    return content[0].text;
  },
  async "streams a message"() {
    const stream = client.messages.stream(few);
    let text = "";
    stream.on("text", (piece) => (text += piece));
    const final = await stream.finalMessage();
    if (text !== final.content[0].text) throw new Error("the stream and its end differ");
    return text;
  },
  async "calls a tool in a stream"() {
    const stream = client.messages.stream({ ...few, tools, tool_choice: { type: "tool", name: "weather" } });
    const { content, stop_reason } = await stream.finalMessage();
    const call = content.find((block) => block.type === "tool_use");
    if (stop_reason !== "tool_use" || call?.name !== "weather") throw new Error(`no call: ${stop_reason}`);
    return JSON.stringify(call.input);
  },
  async "counts tokens"() {
    const { messages } = few;
    return (await client.messages.countTokens({ model, messages })).input_tokens;
  },
  async "lists models"() {
    const found = [];
    for await (const each of client.models.list()) found.push(each.id);
    if (!found.includes(model)) throw new Error(found.join());
    return found.join();
  },
  async "tells a missing model from others"() {
    try {
      await client.messages.create({ ...few, model: "nobody:1b" });
    } catch (error) {
      if (error instanceof Anthropic.NotFoundError) return error.message;
      throw error;
    }
    throw new Error("no error");
  },
};

for (const [check, run] of Object.entries(checks)) {
  try {
    console.log(JSON.stringify({ check, did: String(await run()) }));
  } catch (error) {
    console.log(JSON.stringify({ check, failed: `${error.name}: ${error.message}` }));
  }
}
