import { LINES, readBatch } from '../batch.js';
import { contentTypeOf, unknownContentType } from '../content-type.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { withBatch } from '../with-batch.js';

/**
 * `POST /v1/observations`: answered when the log has committed what was accepted and the dead letters of the rest.
 * 200 also where every record was refused: sending them again would change nothing, and the report says why.
 */
export function postObservations(deps: ApiDeps) {
  const { ports, limits } = deps;
  const scan = {
    maxDepth: limits.maxDepth,
    maxRecordBytes: limits.maxRecordBytes,
    maxRecords: limits.maxRecordsPerRequest,
  };
  return async (c: ApiContext): Promise<Response> => {
    const type = contentTypeOf(c, 'application/json');
    const isLines = LINES.has(type);
    if (!isLines && type !== 'application/json') {
      throw unknownContentType('send application/json or application/x-ndjson');
    }
    const report = await withBatch(c, deps, limits.maxBodyBytes, async (body) => {
      const { records, refused } = readBatch(body, isLines, scan);
      return ports.intake.accept(records, refused, c.var.principal);
    });
    return c.json(report);
  };
}
