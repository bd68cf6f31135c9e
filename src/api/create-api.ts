import { Hono, type MiddlewareHandler } from 'hono';
import { ByteBudget } from './byte-budget.js';
import type { ApiContext, ApiCounters, ApiDeps, ApiLimits, ApiPorts, Env } from './context.js';
import { answerError, ApiError } from './errors.js';
import type { KeyRing } from './keys.js';
import { atOwner } from './forwarding.js';
import { PageAccess } from './page-access.js';
import { PageSessions } from './page-sessions.js';
import type { Pages } from './port.js';
import { observationSchema, openApiDocument } from './openapi.js';
import { ROUTES, type Access, type Route } from './roles.js';
import { getApprovals, getHold, postApproval } from './routes/approvals.js';
import { getRebuild, postRebuild, postRestore } from './routes/baseline-history.js';
import { getBaseline, getBaselineDiff, postRollback } from './routes/baselines.js';
import { postCheck } from './routes/check.js';
import { getCommandPoll } from './routes/command-poll.js';
import { getCommandStream } from './routes/command-stream.js';
import { getCommand, getCommands, postAcknowledgement } from './routes/commands.js';
import { postContain, postDecision, postLift } from './routes/containment.js';
import { postDetectorsReload } from './routes/detectors.js';
import { getErasure, postErasure } from './routes/erasures.js';
import { getAudit, getContent } from './routes/content.js';
import { getSources } from './routes/source-reports.js';
import { getDiscovery } from './routes/discovery.js';
import { getSigningKeys, postKeyRotation } from './routes/signing-keys.js';
import { getIncident, getIncidents, postVerdict } from './routes/incidents.js';
import { postCalibrate, postLearning } from './routes/learning.js';
import { getFleetLifts, postFleetLift, postFleetLiftDecision } from './routes/lifts.js';
import { getFile, getPage, getView, postLogin, postLogout, type PageDeps } from './routes/page.js';
import { postObservations } from './routes/observations.js';
import { postOtlp } from './routes/otlp.js';
import { getResponse } from './routes/response.js';
import { postCloudEvents, postLiteLlm, postMapped, postOpaLogs } from './routes/sources.js';
import { SignInLimit } from './sign-in-limit.js';
import { SubscriberSlots } from './subscriber-slots.js';
import { getHealth, getHeartbeat, getMetrics, getReady, sendMetrics } from './routes/operations.js';
import { getStatus } from './routes/status.js';
import { WorkGate } from './work-gate.js';

/** Decisions that one gateway waits for at once. */
const MAX_HELD_PER_KEY = 256;

export interface ApiOptions {
  ports: ApiPorts;
  keys: KeyRing;
  limits: ApiLimits;
  page: { pages: Pages; sessionsFile: string; publicUrl?: string };
  /** Told of errors nobody foresaw. Never handed headers or bodies. */
  onUnexpected?: (error: unknown, request: { method: string; path: string }) => void;
}

export interface Api {
  app: Hono<Env>;
  counters: ApiCounters;
  /** Ends every open stream. */
  endStreams: () => void;
  /** Turns new work away from now on and ends streams. Resolves when what was under way is answered, at most `graceMs`. */
  finishWork: (graceMs: number) => Promise<void>;
}

type Handler = (c: ApiContext) => Response | Promise<Response>;

/** Puts the routes together. Everything they stand on is given. */
export function createApi(options: ApiOptions): Api {
  const { ports, limits, keys, page } = options;
  const counters: ApiCounters = {
    requests: 0,
    unauthenticated: 0,
    forbidden: 0,
    rejected: 0,
    failed: 0,
    streamsOpened: 0,
    polls: 0,
    streamsStalled: 0,
    turnedAway: 0,
  };
  const closing = new AbortController();
  const deps: ApiDeps = {
    ports,
    limits,
    counters,
    budget: new ByteBudget(limits.maxPendingBytes),
    closing: closing.signal,
  };
  const sessions = new PageSessions({ keys, clock: ports.clock, file: page.sessionsFile });
  const access = new PageAccess({ sessions, ...page });
  const pageDeps: PageDeps = { pages: page.pages, access, limit: new SignInLimit(ports.clock) };
  const app = new Hono<Env>();
  app.use(securityHeaders(counters));
  const gate = new WorkGate(counters);
  app.use(gate.guard());
  for (const [route, handler] of Object.entries(handlersOf(deps, pageDeps))) {
    const [method = '', path = ''] = route.split(' ');
    app.on(method, path, authorize(ROUTES[route as Route], { keys, pages: access, counters }), handler);
  }
  app.notFound((c) => {
    throw notFound(c.req.method, c.req.path);
  });
  app.onError((error, c) => {
    if (error instanceof ApiError) counters.rejected++;
    return answerError(c, error, (unexpected) => {
      counters.failed++;
      options.onUnexpected?.(unexpected, { method: c.req.method, path: c.req.path });
    });
  });
  const endStreams = (): void => closing.abort();
  const finishWork = (graceMs: number): Promise<void> => {
    gate.shut();
    endStreams();
    return gate.idle(graceMs);
  };
  return { app, counters, endStreams, finishWork };
}

/** Numbers and health alone, for an address that needs no key: it belongs where only collectors and probes reach it. */
export function createMetricsApi(operations: ApiPorts['operations']): Pick<Api, 'app' | 'endStreams'> {
  const app = new Hono<Env>();
  const ports = { operations };
  app.get('/metrics', (c) => sendMetrics(c, operations));
  app.get('/healthz', getHealth({ ports }));
  app.get('/readyz', getReady({ ports }));
  return { app, endStreams: () => {} };
}

function handlersOf(deps: ApiDeps, page: PageDeps): Record<Route, Handler> {
  const slots = new SubscriberSlots(deps.limits.maxStreamsPerKey);
  return {
    'GET /': getPage(page),
    'GET /page.js': getFile(page.pages.script),
    'GET /page.css': getFile(page.pages.style),
    'GET /icon.svg': getFile(page.pages.icon),
    'POST /login': postLogin(page, deps),
    'POST /logout': postLogout(page),
    'GET /view': getView(page),
    'GET /healthz': getHealth(deps),
    'GET /readyz': getReady(deps),
    'GET /metrics': getMetrics(deps),
    'GET /v1/heartbeat': getHeartbeat(deps),
    'GET /.well-known/jwks.json': getSigningKeys(deps),
    'GET /v1/openapi.json': sendJson(openApiDocument()),
    'GET /v1/schema/observation': sendJson(observationSchema()),
    'GET /v1/status': getStatus(deps),
    'POST /v1/observations': postObservations(deps),
    'POST /v1/traces': postOtlp(deps, 'traces'),
    'POST /v1/logs': postOtlp(deps, 'logs'),
    'POST /v1/metrics': postOtlp(deps, 'metrics'),
    'POST /v1/sources/cloudevents': postCloudEvents(deps),
    'POST /v1/sources/litellm': postLiteLlm(deps),
    'POST /v1/sources/opa/logs': postOpaLogs(deps),
    'POST /v1/sources/opa/logs/:partition': postOpaLogs(deps),
    'POST /v1/sources/map/:name': postMapped(deps),
    'POST /v1/check': postCheck(deps),
    'GET /v1/commands/stream': getCommandStream(deps, slots),
    'GET /v1/commands/poll': getCommandPoll(deps, slots),
    'GET /v1/commands': getCommands(deps),
    'GET /v1/commands/:id': getCommand(deps),
    'POST /v1/commands/:id/ack': postAcknowledgement(deps),
    'POST /v1/commands/:id/lift': postLift(deps),
    'POST /v1/commands/:id/approve': postDecision(deps, 'approve'),
    'POST /v1/commands/:id/reject': postDecision(deps, 'reject'),
    'GET /v1/approvals': getApprovals(deps),
    'POST /v1/approvals/:id/approve': postApproval(deps, 'approve'),
    'POST /v1/approvals/:id/reject': postApproval(deps, 'reject'),
    'GET /v1/holds/:id': getHold(deps, new SubscriberSlots(MAX_HELD_PER_KEY)),
    'POST /v1/contain': postContain(deps),
    'GET /v1/lifts': getFleetLifts(deps),
    'POST /v1/lifts': postFleetLift(deps),
    'POST /v1/lifts/:id/confirm': postFleetLiftDecision(deps, 'confirm-lift'),
    'POST /v1/lifts/:id/reject': postFleetLiftDecision(deps, 'reject-lift'),
    'GET /v1/incidents': getIncidents(deps),
    'GET /v1/incidents/:id': getIncident(deps),
    'GET /v1/incidents/:id/response': atOwner(deps, agentOfIncident(deps), getResponse(deps)),
    'POST /v1/incidents/:id/verdict': postVerdict(deps),
    'GET /v1/discovery': getDiscovery(deps),
    'GET /v1/sources': getSources(deps),
    'POST /v1/erasures': postErasure(deps),
    'GET /v1/erasures/:id': getErasure(deps),
    'GET /v1/observations/:id/content': getContent(deps),
    'GET /v1/audit': getAudit(deps),
    'GET /v1/baselines/:id': atOwner(deps, agentInPath, getBaseline(deps)),
    'GET /v1/baselines/:id/diff': atOwner(deps, agentInPath, getBaselineDiff(deps)),
    'POST /v1/baselines/:id/rollback': atOwner(deps, agentInPath, postRollback(deps)),
    'POST /v1/baselines/:id/restore': atOwner(deps, agentInPath, postRestore(deps)),
    'POST /v1/baselines/:id/rebuild': atOwner(deps, agentInPath, postRebuild(deps)),
    'GET /v1/baselines/:id/rebuild': atOwner(deps, agentInPath, getRebuild(deps)),
    'POST /v1/learning': postLearning(deps),
    'POST /v1/calibrate': postCalibrate(deps),
    'POST /v1/detectors/reload': postDetectorsReload(deps),
    'POST /v1/keys/rotate': postKeyRotation(deps),
  };
}

function agentInPath(c: ApiContext): string | undefined {
  return c.req.param('id');
}

function agentOfIncident({ ports }: ApiDeps): (c: ApiContext) => string | undefined {
  return (c) => ports.incidents.get(c.var.principal.tenant, c.req.param('id') ?? '')?.agentId;
}

/** A document that never changes. */
function sendJson(document: unknown): Handler {
  const text = JSON.stringify(document);
  return (c) => c.body(text, 200, { 'Content-Type': 'application/json' });
}

/** Nothing is cached or may be framed; pages have a policy of their own. Set before the route, so that errors carry them too. */
function securityHeaders(counters: ApiCounters): MiddlewareHandler<Env> {
  return async (c, next) => {
    counters.requests++;
    c.header('X-Content-Type-Options', 'nosniff');
    c.header('Cache-Control', 'no-store');
    c.header('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
    c.header('Referrer-Policy', 'no-referrer');
    c.header('Cross-Origin-Resource-Policy', 'same-origin');
    await next();
  };
}

interface Gate {
  keys: KeyRing;
  pages: PageAccess;
  counters: ApiCounters;
}

/** Lets through who may use a route: a program by its key, or a person by the session of the page. */
function authorize(access: Access, { keys, pages, counters }: Gate): MiddlewareHandler<Env> {
  return async (c, next) => {
    if (access === 'public') return next();
    const needed = `a key with role ${access.join(' or ')}`;
    const header = c.req.header('authorization');
    const session = header === undefined ? pages.session(c) : undefined;
    const principal = session?.principal ?? keys.authenticate(header);
    if (principal === undefined) {
      counters.unauthenticated++;
      throw new ApiError(401, 'unauthenticated', 'this needs a valid key', {
        fix: `send "Authorization: Bearer ..." with ${needed}`,
        headers: { 'WWW-Authenticate': 'Bearer' },
      });
    }
    if (!access.includes(principal.role)) {
      counters.forbidden++;
      throw new ApiError(403, 'forbidden', `this needs ${needed}; this key has role ${principal.role}`, {
        fix: `use ${needed}`,
      });
    }
    if (session !== undefined && c.req.method !== 'GET') pages.checkChange(c, session);
    c.set('principal', principal);
    return next();
  };
}

function notFound(method: string, path: string): ApiError {
  const others = Object.keys(ROUTES)
    .filter((route) => route.split(' ')[1] === path)
    .map((route) => route.split(' ')[0] ?? '');
  if (others.length > 0 && !others.includes(method)) {
    return new ApiError(405, 'method', `use ${others.join(' or ')} here`, { headers: { Allow: others.join(', ') } });
  }
  return new ApiError(404, 'not-found', 'there is nothing at this path', { fix: 'see GET /v1/openapi.json' });
}
