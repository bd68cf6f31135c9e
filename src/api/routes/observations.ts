import { readBatch } from '../batch.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';
import { withBody } from '../read-body.js';

const LINES = new Set(['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines']);

/** `POST /v1/observations`: answered when the log has committed what was accepted and why the rest was refused. */
export function postObservations({ ports, limits, budget }: ApiDeps) {
  const scan = {
    maxDepth: limits.maxDepth,
    maxRecordBytes: limits.maxRecordBytes,
    maxRecords: limits.maxRecordsPerRequest,
  };
  return async (c: ApiContext): Promise<Response> => {
    const type = (c.req.header('content-type') ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? '';
    const isLines = LINES.has(type);
    if (!isLines && type !== 'application/json') {
      throw new ApiError(415, 'content-type', 'this content-type is not understood', {
        fix: 'send application/json or application/x-ndjson',
      });
    }
    const report = await withBody(c.env.incoming, { maxBytes: limits.maxBodyBytes, budget }, async (body) => {
      const { records, refused } = readBatch(body, isLines, scan);
      return ports.intake.accept(records, refused, c.var.principal);
    });
    if (report.accepted > 0 || report.refused.length === 0) return c.json(report);
    // Nothing was accepted: a caller that looks at the status alone must not take it for a success.
    const error = { code: 'refused', message: 'no record was accepted; "refused" says why, by index' };
    return c.json({ ...report, error }, 400);
  };
}
