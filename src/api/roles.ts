import type { Principal } from '../model/principal.js';

export type Role = Principal['role'];
export type Method = 'GET' | 'POST';

/** Who may use a route; `public` needs no key. */
export type Access = 'public' | readonly Role[];

const VIEWERS: readonly Role[] = ['viewer', 'analyst', 'responder', 'admin'];
const ANALYSTS: readonly Role[] = ['analyst', 'responder', 'admin'];
const RESPONDERS: readonly Role[] = ['responder', 'admin'];

/** Every route and who may use it. A route that is not here is not served; a test holds the routes to the table. */
export const ROUTES = {
  // Shows nothing but a sign-in form to whoever has not signed in.
  'GET /': 'public',
  'GET /page.js': 'public',
  'GET /page.css': 'public',
  'GET /icon.svg': 'public',
  'POST /login': 'public',
  'POST /logout': VIEWERS,
  'GET /view': VIEWERS,
  'GET /healthz': 'public',
  'GET /readyz': 'public',
  'GET /metrics': VIEWERS,
  'GET /v1/heartbeat': VIEWERS,
  'GET /.well-known/jwks.json': 'public',
  'GET /v1/openapi.json': 'public',
  'GET /v1/schema/observation': 'public',
  'GET /v1/status': VIEWERS,
  'POST /v1/observations': ['ingest', 'gateway'],
  'POST /v1/traces': ['ingest', 'gateway'],
  'POST /v1/logs': ['ingest', 'gateway'],
  'POST /v1/metrics': ['ingest', 'gateway'],
  'POST /v1/sources/cloudevents': ['ingest', 'gateway'],
  'POST /v1/sources/litellm': ['ingest', 'gateway'],
  'POST /v1/sources/opa/logs': ['ingest', 'gateway'],
  'POST /v1/sources/opa/logs/:partition': ['ingest', 'gateway'],
  'POST /v1/sources/map/:name': ['ingest', 'gateway'],
  'POST /v1/check': ['gateway'],
  'GET /v1/commands/stream': ['gateway', ...RESPONDERS],
  'GET /v1/commands/poll': ['gateway', ...RESPONDERS],
  'GET /v1/commands': ['gateway', ...VIEWERS],
  'GET /v1/commands/:id': ['gateway', ...VIEWERS],
  'POST /v1/commands/:id/ack': ['gateway'],
  'POST /v1/commands/:id/lift': RESPONDERS,
  'POST /v1/commands/:id/approve': RESPONDERS,
  'POST /v1/commands/:id/reject': RESPONDERS,
  'GET /v1/approvals': VIEWERS,
  'POST /v1/approvals/:id/approve': RESPONDERS,
  'POST /v1/approvals/:id/reject': RESPONDERS,
  'GET /v1/holds/:id': ['gateway', ...VIEWERS],
  'POST /v1/contain': RESPONDERS,
  'GET /v1/lifts': RESPONDERS,
  'POST /v1/lifts': RESPONDERS,
  'POST /v1/lifts/:id/confirm': RESPONDERS,
  'POST /v1/lifts/:id/reject': RESPONDERS,
  'GET /v1/incidents': VIEWERS,
  'GET /v1/incidents/:id': VIEWERS,
  'GET /v1/incidents/:id/response': VIEWERS,
  'POST /v1/incidents/:id/verdict': ANALYSTS,
  'GET /v1/discovery': VIEWERS,
  'GET /v1/sources': VIEWERS,
  'GET /v1/observations/:id/content': ANALYSTS,
  'GET /v1/audit': ['admin'],
  'POST /v1/erasures': ['admin'],
  'GET /v1/erasures/:id': ['admin'],
  'GET /v1/baselines/:id': VIEWERS,
  'GET /v1/baselines/:id/diff': VIEWERS,
  'POST /v1/baselines/:id/rollback': RESPONDERS,
  'POST /v1/baselines/:id/restore': RESPONDERS,
  'POST /v1/baselines/:id/rebuild': RESPONDERS,
  'GET /v1/baselines/:id/rebuild': VIEWERS,
  'POST /v1/learning': ['admin'],
  'POST /v1/calibrate': ['admin'],
  'POST /v1/detectors/reload': ['admin'],
  'POST /v1/keys/rotate': ['admin'],
} as const satisfies Record<`${Method} /${string}`, Access>;

export type Route = keyof typeof ROUTES;

/** Whether a role may use a route. */
export function mayUse(role: Role, route: Route): boolean {
  const access: Access = ROUTES[route];
  return access === 'public' || access.includes(role);
}
