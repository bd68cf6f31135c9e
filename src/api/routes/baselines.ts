import { z } from 'zod';
import { ORIGIN_FEATURES, type BaselineVersion } from '../../model/baseline.js';
import { mayActFor } from '../../model/principal.js';
import { MAX_NAME_CHARS } from '../../model/wire.js';
import { diffVersions } from '../baseline-diff.js';
import type { ApiContext, ApiDeps } from '../context.js';
import { ApiError } from '../errors.js';
import { readJson } from '../read-body.js';
import { SMALL_BODY_BYTES } from './commands.js';

export const rollbackSchema = z.strictObject({
  version: z.number().int().min(1),
  reason: z.string().min(1).max(1024),
});

/** `GET /v1/baselines/:id?version=`: what is normal for an agent, in its newest published version or another one. */
export function getBaseline(deps: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    const agentId = agentOf(c);
    const asked = c.req.query('version');
    const rows = await featuresOf(c, deps, asked === undefined ? undefined : versionIn('version', asked));
    const { tenant } = c.var.principal;
    const kept = deps.ports.baselines.kept(tenant, agentId);
    const archived = (await deps.ports.baselines.archived(tenant, agentId)) ?? [];
    return c.json({ ...summaryOf(rows), features: rows.map(featureFor), kept, archived });
  };
}

/** `GET /v1/baselines/:id/diff?from=&to=`: what changed between two versions. */
export function getBaselineDiff(deps: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    const versions = [versionIn('from', c.req.query('from')), versionIn('to', c.req.query('to'))];
    const [from = [], to = []] = await Promise.all(versions.map((version) => featuresOf(c, deps, version)));
    return c.json({ from: summaryOf(from), to: summaryOf(to), features: diffVersions(from, to) });
  };
}

/** `POST /v1/baselines/:id/rollback`: a person takes an agent's baseline back to a version that is kept whole. */
export function postRollback({ ports, budget }: ApiDeps) {
  return async (c: ApiContext): Promise<Response> => {
    const agentId = agentOf(c);
    const { version, reason } = await readJson(c.env.incoming, { maxBytes: SMALL_BODY_BYTES, budget }, rollbackSchema);
    const { tenant, id: by } = c.var.principal;
    const kept = ports.baselines.kept(tenant, agentId).map((one) => one.version);
    if (kept.length === 0) throw unknown(`no version of this agent's baseline is kept`);
    if (!kept.includes(version)) {
      throw new ApiError(409, 'conflict', `version ${version} is not kept whole (any more)`, {
        field: 'version',
        fix: `go back to one of ${kept.join(', ')}, or restore it from ClickHouse`,
      });
    }
    const value = String(version);
    await ports.journal.activate({ time: ports.clock.now(), tenant, what: 'rollback', value, agentId, by, reason });
    return c.json({ recorded: true }, 202);
  };
}

/** The agent that is meant. @throws ApiError 404 where the key is not bound to it */
export function agentOf(c: ApiContext): string {
  const agentId = c.req.param('id') ?? '';
  if (agentId.length > MAX_NAME_CHARS || !mayActFor(c.var.principal, agentId)) throw unknown();
  return agentId;
}

async function featuresOf(c: ApiContext, { ports }: ApiDeps, version?: number): Promise<BaselineVersion[]> {
  const { tenant } = c.var.principal;
  const filter = { tenant, agentId: agentOf(c), ...(version === undefined ? {} : { version }) };
  const rows = await ports.baselines.features(filter);
  if (rows === undefined) {
    throw new ApiError(503, 'store-away', 'ClickHouse, which has the versions, does not answer', {
      fix: 'try again; GET /v1/status says why',
    });
  }
  // Features that only some versions have must not mix with newer ones.
  const newest = Math.max(...rows.map((row) => row.version));
  const features = rows.filter((row) => row.version === newest);
  if (features.length > 0) return features;
  throw unknown(version === undefined ? undefined : `version ${version} of this agent's baseline is not stored`);
}

function summaryOf(rows: readonly BaselineVersion[]) {
  const [first] = rows;
  const origins = rows.filter(({ feature }) => ORIGIN_FEATURES.some((name) => name === feature));
  return {
    agentId: first?.agentId,
    version: first?.version,
    time: first?.time,
    status: first?.status,
    sessionCount: first?.sessionCount,
    ...Object.fromEntries(origins.map(({ feature, state }) => [feature, JSON.parse(state) as unknown])),
  };
}

function featureFor({ feature, sampleCount, state }: BaselineVersion) {
  return { feature, sampleCount, state: JSON.parse(state) as unknown };
}

function versionIn(field: string, text = ''): number {
  const version = text.length <= 15 && /^[0-9]+$/.test(text) ? Number(text) : 0;
  if (version >= 1) return version;
  throw new ApiError(400, 'invalid', 'must be the number of a version, from 1 on', { field });
}

export function unknown(message = 'no version of a baseline of this agent is stored'): ApiError {
  return new ApiError(404, 'unknown-baseline', message, {
    fix: 'check the name; a baseline is published after every 25 learned sessions and with POST /v1/calibrate, and stored some seconds later',
  });
}
