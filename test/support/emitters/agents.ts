import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { OpenAIInstrumentation } from '@arizeai/openinference-instrumentation-openai';
import type { Tracer } from '@opentelemetry/api';
import type { TracerProvider } from '@opentelemetry/api';
import { generateText, stepCountIs, tool } from 'ai';
import OpenAI from 'openai';
import { z } from 'zod';

export const REQUEST = 'Book me a hotel in Paris for two nights, please';

/** A run of an agent on the real Vercel AI SDK, with its telemetry on. */
export async function runVercelAgent(modelUrl: string, tracer: Tracer): Promise<void> {
  const provider = createOpenAICompatible({ name: 'local', baseURL: modelUrl, apiKey: 'none' });
  await generateText({
    model: provider('stand-in-1'),
    prompt: REQUEST,
    stopWhen: stepCountIs(3),
    tools: {
      book_hotel: tool({
        description: 'Books a hotel',
        inputSchema: z.object({ city: z.string(), nights: z.number() }),
        execute: async ({ city }) => ({ booked: true, city, reference: 'R-77' }),
      }),
    },
    experimental_telemetry: {
      isEnabled: true,
      tracer,
      functionId: 'travel-agent',
      metadata: { sessionId: 'session-1' },
    },
  });
}

/** Two requests with the real OpenAI client under the real OpenInference instrumentation. */
export async function runOpenInferenceAgent(modelUrl: string, tracerProvider: TracerProvider): Promise<void> {
  const instrumentation = new OpenAIInstrumentation({ tracerProvider });
  instrumentation.manuallyInstrument(OpenAI);
  const client = new OpenAI({ baseURL: modelUrl, apiKey: 'none' });
  const tools = [
    {
      type: 'function' as const,
      function: { name: 'book_hotel', description: 'Books a hotel', parameters: { type: 'object', properties: {} } },
    },
  ];
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: REQUEST }];
  const first = await client.chat.completions.create({ model: 'stand-in-1', messages, tools });
  const [choice] = first.choices;
  if (choice === undefined) throw new Error('the stand-in gave no answer');
  messages.push(choice.message, { role: 'tool', tool_call_id: 'call_1', content: '{"booked":true}' });
  await client.chat.completions.create({ model: 'stand-in-1', messages, tools });
  instrumentation.disable();
}
