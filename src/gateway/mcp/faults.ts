import { StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js';

const CONNECTION_CLOSED: number = ErrorCode.ConnectionClosed;
const REQUEST_TIMEOUT: number = ErrorCode.RequestTimeout;

/** The server is not there now. With a cause: it was lost in the middle of a call, which may have been executed. */
export class ServerUnavailable extends Error {
  override name = 'ServerUnavailable';
}

/**
 * A fault in words for the log: its kind and code, never its message, because messages of the SDK quote what was sent
 * and received.
 */
export function kindOfFault(fault: unknown): string {
  if (fault instanceof StreamableHTTPError) return `HTTP status ${fault.code ?? 'unknown'}`;
  if (fault instanceof McpError) return `MCP error ${fault.code}`;
  if (!(fault instanceof Error)) return 'unknown fault';
  const inner = fault.cause instanceof Error ? fault.cause : fault;
  const code = 'code' in inner && typeof inner.code === 'string' ? inner.code : undefined;
  return code === undefined ? inner.name : `${inner.name} ${code}`;
}

/** Whether the connection is lost, rather than one request refused. */
export function isConnectionLoss(fault: unknown): boolean {
  if (fault instanceof McpError) return fault.code === CONNECTION_CLOSED;
  return isUntouched(fault) || isNetworkFault(fault);
}

/** Whether the server turned the request away before it looked at it: it has forgotten the session. */
export function isUntouched(fault: unknown): boolean {
  if (fault instanceof StreamableHTTPError) return fault.code === 404 || fault.code === 400;
  return fault instanceof Error && fault.message === 'Not connected';
}

/** Whether nobody was there, or was gone in the middle: what `fetch` throws. */
export function isNetworkFault(fault: unknown): boolean {
  return fault instanceof TypeError;
}

/** Whether the server answered too late. */
export function isTimeout(fault: unknown): boolean {
  return fault instanceof McpError && fault.code === REQUEST_TIMEOUT;
}

/** A server's own refusal as it goes on to the client, without the prefix that each hop of the SDK would add. */
export function passedOn(fault: McpError): McpError {
  const prefix = `MCP error ${fault.code}: `;
  const error = new McpError(fault.code, '', fault.data);
  error.message = fault.message.startsWith(prefix) ? fault.message.slice(prefix.length) : fault.message;
  return error;
}
