import { holdsLines, LINES, readBatch, type Batch } from '../batch.js';
import { contentTypeOf, unknownContentType } from '../content-type.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';
import { withBatch } from '../with-batch.js';

/** How the records of a request are told apart, and whether they may be sent at all. */
interface Form {
  /** One JSON value a line, where that can be told without the body. */
  isLines?: boolean;
  /** Puts each record into the form that the format's normaliser takes. */
  shape?: (value: unknown) => unknown;
  /** Exactly one record. */
  isSingle?: boolean;
  /** Asked when the body is there: what was known before may be gone. */
  check?: () => void;
}

/**
 * `POST /v1/sources/litellm`: what LiteLLM's `generic_api` callback sends in any of its three log formats. It calls lines
 * `application/json` too, so the body says which it is.
 */
export function postLiteLlm(deps: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => take(c, deps, 'litellm', jsonForm(c));
}

/**
 * `POST /v1/sources/cloudevents`: CloudEvents 1.0 over HTTP, as a batch, structured or binary. Programs that know nothing
 * of the HTTP binding send the same JSON as `application/json`.
 */
export function postCloudEvents(deps: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => take(c, deps, 'cloudevents', cloudEventForm(c, deps));
}

/**
 * `POST /v1/sources/opa/logs`: decision logs as OPA uploads them, a gzip JSON array. OPA takes any 2xx as taken in and sends
 * everything else again, so refused decisions are told in the answer and kept as dead letters.
 */
export function postOpaLogs(deps: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => mapped(c, deps, OPA);
}

/** `POST /v1/sources/map/:name`: records of any form, read by a declarative mapping. */
export function postMapped(deps: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => mapped(c, deps, c.req.param('name') ?? '');
}

/** The mapping that decision logs of OPA are read by. */
const OPA = 'opa';

function mapped(c: ApiContext, deps: ApiDeps, name: string): Promise<Response> {
  const check = () => {
    if (deps.ports.mappings.has(name)) return;
    throw new ApiError(404, 'not-found', 'there is no mapping of this name', {
      fix: `put ${name === OPA ? OPA : 'NAME'}.yaml into the folder of sources.mappingsDir; see docs/sources.md`,
    });
  };
  return take(c, deps, `map/${name}`, { ...jsonForm(c), check });
}

async function take(c: ApiContext, deps: ApiDeps, format: string, form: Form): Promise<Response> {
  const { ports, limits } = deps;
  const scan = {
    maxDepth: limits.maxDepth,
    maxRecordBytes: limits.maxRecordBytes,
    maxRecords: limits.maxRecordsPerRequest,
  };
  const report = await withBatch(c, deps, limits.maxBodyBytes, async (body) => {
    const batch = readBatch(body, form.isLines ?? holdsLines(body), scan);
    if (form.isSingle === true) checkSingle(batch);
    const { shape } = form;
    const records =
      shape === undefined ? batch.records : batch.records.map((one) => ({ ...one, value: shape(one.value) }));
    form.check?.();
    return ports.intake.accept(records, batch.refused, c.var.principal, format);
  });
  return c.json(report);
}

/** @throws ApiError 415 */
function jsonForm(c: ApiContext): Form {
  const type = contentTypeOf(c, 'application/json');
  if (LINES.has(type)) return { isLines: true };
  if (type === 'application/json') return {};
  throw unknownContentType('send application/json or application/x-ndjson');
}

/** @throws ApiError 415 */
function cloudEventForm(c: ApiContext, deps: ApiDeps): Form {
  const type = contentTypeOf(c, 'application/json');
  // The batch's name starts like the structured form's.
  if (type === 'application/cloudevents-batch+json') return { isLines: false };
  if (type === 'application/cloudevents+json') return { isLines: false };
  if (type.startsWith('application/cloudevents')) {
    throw unknownContentType('send application/cloudevents+json or application/cloudevents-batch+json');
  }
  if (c.req.header('ce-specversion') === undefined) return jsonForm(c);
  if (type !== 'application/json' && !type.endsWith('+json')) throw unknownContentType('send data as application/json');
  const headers = Object.entries(c.req.header());
  return { isLines: false, isSingle: true, shape: (data) => deps.ports.cloudEvent(headers, data) };
}

/** A second record would get the first one's id. */
function checkSingle({ records, refused }: Batch): void {
  if (records.length + refused.length <= 1) return;
  throw new ApiError(400, 'several', 'the binary form holds one event', {
    fix: 'send several as application/cloudevents-batch+json',
  });
}
