import { z } from 'zod';
import { acknowledgementSchema, checkAnswerSchema, checkRequestSchema, wireObservationSchema } from '../model/wire.js';
import { ROUTES, type Route } from './roles.js';
import { approvalsSchema, holdSchema } from './routes/approvals.js';
import { rotationSchema } from './routes/signing-keys.js';
import { rebuildSchema, rebuildStatusSchema, restoreSchema } from './routes/baseline-history.js';
import { rollbackSchema } from './routes/baselines.js';
import { containSchema, decisionSchema, liftSchema } from './routes/containment.js';
import { erasureSchema } from './routes/erasures.js';
import { fleetLiftSchema } from './routes/lifts.js';
import { verdictSchema } from './routes/incidents.js';
import { learningSchema } from './routes/learning.js';

interface Operation {
  summary: string;
  body?: z.ZodType;
  answer?: z.ZodType;
}

const intakeReport = z.object({
  accepted: z.number(),
  refused: z.array(z.object({ index: z.number(), field: z.string(), reason: z.string() })),
});

const OPERATIONS: Record<Route, Operation> = {
  'GET /': { summary: 'The page for people, or its sign-in form (HTML)' },
  'GET /page.js': { summary: 'Script of the page' },
  'GET /page.css': { summary: 'Style of the page' },
  'GET /icon.svg': { summary: 'Icon of the page' },
  'POST /login': { summary: 'Sign in to the page with a key, as a form' },
  'POST /logout': { summary: 'Sign out of the page' },
  'GET /view': { summary: 'What the page shows now (agent, status, open), as HTML with an ETag' },
  'GET /healthz': { summary: 'The process answers and scoring moves (503: start it anew)' },
  'GET /readyz': { summary: 'Whether requests should be sent here, and which part is in the way (503: elsewhere)' },
  'GET /metrics': { summary: 'Numbers in the text format of Prometheus' },
  'GET /v1/heartbeat': { summary: 'Signed sign of life of scoring (503: it has not gone all the way lately)' },
  'GET /.well-known/jwks.json': { summary: 'Public keys that messages to gateways are signed with (JWKS)' },
  'GET /v1/openapi.json': { summary: 'This document' },
  'GET /v1/schema/observation': { summary: 'JSON Schema of one record of the native wire format' },
  'GET /v1/status': { summary: 'What the service says about itself' },
  'POST /v1/observations': {
    summary: 'Take records in: one object, an array, or NDJSON (application/x-ndjson), also gzip',
    body: z.union([wireObservationSchema, z.array(wireObservationSchema)]),
    answer: intakeReport,
  },
  'POST /v1/traces': { summary: 'OTLP/HTTP traces: protobuf or JSON, also gzip' },
  'POST /v1/logs': { summary: 'OTLP/HTTP logs: protobuf or JSON, also gzip' },
  'POST /v1/metrics': { summary: 'OTLP/HTTP metrics: protobuf or JSON, also gzip' },
  'POST /v1/sources/cloudevents': {
    summary: 'CloudEvents 1.0 over HTTP: binary, structured or batch; also JSON arrays and lines of events, also gzip',
    answer: intakeReport,
  },
  'POST /v1/sources/litellm': {
    summary: "What LiteLLM's generic_api callback sends: an array, lines or one StandardLoggingPayload, also gzip",
    answer: intakeReport,
  },
  'POST /v1/sources/opa/logs': {
    summary: 'Decision logs of Open Policy Agent, read by the mapping "opa"; point its service at /v1/sources/opa',
    answer: intakeReport,
  },
  'POST /v1/sources/opa/logs/:partition': {
    summary: 'The same where OPA names a partition (decision_logs.partition_name)',
    answer: intakeReport,
  },
  'POST /v1/sources/map/:name': {
    summary: 'Records of any form, read by a declarative mapping: one object, an array or lines, also gzip',
    answer: intakeReport,
  },
  'POST /v1/check': {
    summary: 'May this call be executed?',
    body: checkRequestSchema,
    answer: checkAnswerSchema,
  },
  'GET /v1/commands/stream': {
    summary: 'Server-sent events, each a JWS: state, then restriction, command and alive; resumable by Last-Event-ID',
  },
  'GET /v1/commands/poll': {
    summary: 'The messages of the stream after a cursor (after), waiting for them at most so long (waitMs)',
    // Each a compact JWS.
    answer: z.object({ cursor: z.string(), messages: z.array(z.string()) }),
  },
  'GET /v1/commands': { summary: 'Commands, newest first (limit)' },
  'GET /v1/commands/:id': { summary: 'One command' },
  'POST /v1/commands/:id/ack': { summary: 'A gateway says what it now enforces', body: acknowledgementSchema },
  'POST /v1/commands/:id/lift': { summary: 'Take a containment back', body: liftSchema },
  'POST /v1/commands/:id/approve': { summary: 'Send a proposed command', body: decisionSchema },
  'POST /v1/commands/:id/reject': { summary: 'Reject a proposed command', body: decisionSchema },
  'GET /v1/approvals': {
    summary: 'Held calls and proposed commands (state=waiting|all, limit)',
    answer: approvalsSchema,
  },
  'POST /v1/approvals/:id/approve': {
    summary: 'Let a held call pass once, or send a proposed command',
    body: decisionSchema,
  },
  'POST /v1/approvals/:id/reject': { summary: 'Refuse a held call or a proposed command', body: decisionSchema },
  'GET /v1/holds/:id': { summary: 'A held call; waits for the decision (waitMs)', answer: holdSchema },
  'POST /v1/contain': {
    summary: 'Contain an agent by hand',
    body: containSchema,
    answer: z.object({ recorded: z.literal(true), commandId: z.string() }),
  },
  'GET /v1/lifts': { summary: 'Lifts that concern many agents, newest first (limit)' },
  'POST /v1/lifts': {
    summary: 'Propose to lift every containment of the tenant, or of a class of agents; another key must confirm',
    body: fleetLiftSchema,
    answer: z.object({ recorded: z.literal(true), liftId: z.string() }),
  },
  'POST /v1/lifts/:id/confirm': { summary: 'Confirm a lift that somebody else proposed', body: decisionSchema },
  'POST /v1/lifts/:id/reject': { summary: 'Turn down a lift that was proposed', body: decisionSchema },
  'GET /v1/incidents': { summary: 'Incidents (status, agentId, limit)' },
  'GET /v1/incidents/:id': { summary: 'One incident with its explanation' },
  'GET /v1/incidents/:id/response': { summary: 'What the response policy would do about an incident now, and why' },
  'POST /v1/incidents/:id/verdict': { summary: 'Say what an incident was', body: verdictSchema },
  'GET /v1/discovery': {
    summary: 'Declared against observed: unknown agents, undeclared tools, unused grants (agent, limit)',
  },
  'GET /v1/observations/:id/content': {
    summary: 'What is kept of the words of an observation (reason); who reads it, when and why is recorded first',
  },
  'GET /v1/audit': { summary: 'Who read whose content, newest first (limit)' },
  'POST /v1/erasures': {
    summary:
      'Erase what is stored of an agent or of a person, or count it (dryRun); who orders it and why is recorded first',
    body: erasureSchema,
    answer: z.union([z.object({ erasureId: z.string() }), z.object({ tables: z.array(z.unknown()) })]),
  },
  'GET /v1/erasures/:id': { summary: 'How an erasure goes, with the rows of each table' },
  'GET /v1/sources': { summary: 'What arrived from whom in the last minutes, what was refused, what was not placed' },
  'GET /v1/baselines/:id': {
    summary: 'What is normal for an agent: its newest published version, or another (version)',
  },
  'GET /v1/baselines/:id/diff': { summary: 'What changed between two versions (from, to)' },
  'POST /v1/baselines/:id/rollback': {
    summary: 'Take an agent back to a version that is kept whole',
    body: rollbackSchema,
  },
  'POST /v1/baselines/:id/restore': {
    summary: 'Take an agent back to a version that lies whole in ClickHouse',
    body: restoreSchema,
  },
  'POST /v1/baselines/:id/rebuild': {
    summary: "Make an agent's baseline anew from its stored observations, without sessions of open or true incidents",
    body: rebuildSchema,
  },
  'GET /v1/baselines/:id/rebuild': { summary: 'How far the latest rebuild is', answer: rebuildStatusSchema },
  'POST /v1/learning': { summary: 'How baselines learn from here on', body: learningSchema },
  'POST /v1/calibrate': { summary: 'Compute the thresholds anew from the clean history' },
  'POST /v1/detectors/reload': { summary: 'Read the folder of the detectors now' },
  'POST /v1/keys/rotate': { summary: 'Sign with a new key, now or after a lead time', body: rotationSchema },
};

/** JSON Schema of one record of the native wire format. */
export function observationSchema(): unknown {
  return z.toJSONSchema(wireObservationSchema, { io: 'input' });
}

/** The OpenAPI 3.1 description of the whole API, made from the schemas that check the requests. */
export function openApiDocument(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [route, operation] of Object.entries(OPERATIONS)) {
    const [method = '', path = ''] = route.split(' ');
    const parameters = [...path.matchAll(/:([a-z]+)/g)].map(([, name = '']) => name);
    const known = path.replaceAll(/:([a-z]+)/g, '{$1}');
    const access = ROUTES[route as Route];
    paths[known] = {
      ...paths[known],
      [method.toLowerCase()]: {
        summary: operation.summary,
        description: access === 'public' ? 'No key needed.' : `Key role: ${access.join(', ')}.`,
        security: access === 'public' ? [] : [{ key: [] }],
        ...(parameters.length > 0
          ? {
              parameters: parameters.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
            }
          : {}),
        ...(operation.body === undefined ? {} : { requestBody: { required: true, content: json(operation.body) } }),
        responses: {
          200: {
            description: 'Done',
            ...(operation.answer === undefined ? {} : { content: json(operation.answer) }),
          },
          default: { description: 'Refused', content: json(errorSchema) },
        },
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Parallax', version: '1', description: 'An independent observer for AI agents.' },
    components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    paths,
  };
}

const errorSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    field: z.string().exactOptional(),
    fix: z.string().exactOptional(),
  }),
});

function json(schema: z.ZodType): Record<string, unknown> {
  return { 'application/json': { schema: z.toJSONSchema(schema, { io: 'input' }) } };
}
