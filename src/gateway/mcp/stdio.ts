import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import type { McpGateway } from './gateway.js';

export interface StdioOptions {
  /** The one agent behind this connection. */
  agentId: string;
  input: Readable;
  output: Writable;
  /** Longest message of the client, bytes. */
  messageBytes: number;
}

/**
 * Serves one client over a pair of streams.
 *
 * @returns a promise that resolves when the client has gone away
 */
export async function serveStdio(
  gateway: McpGateway,
  { agentId, input, output, messageBytes }: StdioOptions,
): Promise<{ ended: Promise<void> }> {
  // The SDK's transport does not notice the end of its input; nor does it mind that nobody reads any more.
  const ended = Promise.race([once(input, 'end'), once(input, 'close'), once(output, 'error')]).then(() => undefined);
  const transport = new StdioServerTransport(input, output, { maxBufferSize: messageBytes });
  await gateway.open(transport, { agentId });
  return { ended };
}
