import { createServer } from 'node:http';

/**
 * A local stand-in for a model behind the OpenAI chat completions API: no model can run here. It first asks for one call of
 * the first tool it is offered, and answers with text once a tool has answered.
 */
export async function standInModel(): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const asked = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
        messages: { role: string }[];
        tools?: { function: { name: string } }[];
      };
      const tool = asked.tools?.[0]?.function.name;
      const isAnswered = asked.messages.some(({ role }) => role === 'tool');
      const calls = [
        { id: 'call_1', type: 'function', function: { name: tool, arguments: '{"city":"Paris","nights":2}' } },
      ];
      const message =
        tool === undefined || isAnswered
          ? { role: 'assistant', content: 'Your room is booked.' }
          : { role: 'assistant', content: null, tool_calls: calls };
      const body = {
        id: 'chatcmpl-1',
        object: 'chat.completion',
        created: 1_764_000_000,
        model: 'stand-in-1',
        choices: [{ index: 0, message, finish_reason: 'tool_calls' in message ? 'tool_calls' : 'stop' }],
        usage: { prompt_tokens: 120, completion_tokens: 15, total_tokens: 135 },
      };
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}
