// The AI SDK's provider for OpenAI-compatible servers; one JSON object a check on standard output.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, streamText, tool } from "ai";
import { z } from "zod";

const { ISTHMUS_URL: baseURL, ISTHMUS_KEY: apiKey, ISTHMUS_MODEL: name } = process.env;
const settings = { name: "isthmus", baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true };
const model = createOpenAICompatible(settings).chatModel(name);
const few = { model, maxRetries: 0, temperature: 0, maxOutputTokens: 48 };

const checks = {
  async "generates text"() {
    const { text, usage } = await generateText({ ...few, prompt: "Say hello." });
    if (!text || !usage.outputTokens) throw new Error("no text, or no usage");
    return text;
  },
  async "streams text"() {
    const { textStream, finishReason } = streamText({ ...few, prompt: "Say hello." });
    let text = "";
    for await (const piece of textStream) text += piece;
    if (!text) throw new Error("no text");
    return `${text} (${await finishReason})`;
  },
  async "calls a tool"() {
    const weather = tool({
      description: "The weather of a city.",
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => `sunny in ${city}`,
    });
    const { toolCalls, toolResults } = await generateText({
      ...few,
      prompt: "What is the weather in Paris?",
      tools: { weather },
      toolChoice: { type: "tool", toolName: "weather" },
    });
    if (toolCalls[0]?.toolName !== "weather") throw new Error("no call");
    return JSON.stringify(toolResults[0]?.output ?? toolCalls[0].input);
  },
  async "generates an object"() {
    const schema = z.object({ city: z.string().max(20), large: z.boolean() });
    const { object } = await generateObject({ ...few, schema, prompt: "Paris" });
    return JSON.stringify(object);
  },
  async "tells an error's status"() {
    const missing = createOpenAICompatible(settings).chatModel("nobody:1b");
    try {
      await generateText({ ...few, model: missing, prompt: "Say hello." });
    } catch (error) {
      if (error.statusCode === 404) return error.message;
      throw error;
    }
    throw new Error("no error");
  },
};

for (const [check, run] of Object.entries(checks)) {
  try {
    console.log(JSON.stringify({ check, did: String(await run()) }));
  } catch (error) {
    console.log(JSON.stringify({ check, failed: `${error.name}: ${error.message} ${error.responseBody ?? ""}` }));
  }
}
