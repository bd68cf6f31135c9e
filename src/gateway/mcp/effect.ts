import type { ToolAnnotations } from '@modelcontextprotocol/sdk/types.js';
import type { Effect } from '../../model/observation.js';

/**
 * What a tool does to the world, by its server's own hints. Hints are claims; a server whose claims are not to be
 * trusted is configured with `annotations: ignore`.
 *
 * @returns undefined where the server says nothing
 */
export function effectOfAnnotations(annotations: ToolAnnotations | undefined): Effect | undefined {
  if (annotations === undefined) return undefined;
  const { readOnlyHint, destructiveHint } = annotations;
  if (readOnlyHint !== undefined) return readOnlyHint ? 'read' : 'write';
  return destructiveHint === undefined ? undefined : 'write';
}
