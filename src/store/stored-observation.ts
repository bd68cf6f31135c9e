import {
  DECISIONS,
  EFFECTS,
  GOVERNANCE_KINDS,
  ORIGINS,
  SCHEMA_VERSION,
  TIERS,
  type Observation,
  type ObservationBase,
  type Target,
} from '../model/observation.js';
import {
  integer,
  list,
  numbers,
  oneOf,
  optionalInteger,
  optionalText,
  StoredShapeError,
  text,
  texts,
  type RawRow,
} from './column.js';

/** Columns of one observation, event and arrival time as epoch ms. */
export const OBSERVATION_COLUMNS = `*, toUnixTimestamp64Milli(time) AS timeMs,
  toUnixTimestamp64Milli(observedAt) AS observedAtMs, toUnixTimestamp64Milli(expiresAt) AS expiresAtMs`;

/**
 * The observation that was stored, field by field as it lies in the log. An absent text and an empty one are the same
 * in a row, and come back absent where the field may be.
 *
 * @param row as `OBSERVATION_COLUMNS` selects it
 * @throws StoredShapeError for a row of another version
 */
export function observationFrom(row: RawRow): Observation {
  if (row['schemaVersion'] !== SCHEMA_VERSION) throw new StoredShapeError('column schemaVersion is of another version');
  const base = baseFrom(row);
  const stream = text(row, 'stream');
  const kind = text(row, 'kind');
  if (stream === 'metric') {
    const named = oneOf(row, 'kind', ['sample', 'session_summary'] as const);
    return { ...base, stream, kind: named, values: JSON.parse(text(row, 'values')) };
  }
  if (stream === 'governance')
    return { ...base, stream, kind: oneOf(row, 'kind', GOVERNANCE_KINDS), ...rulesFrom(row) };
  switch (kind) {
    case 'prompt':
      return {
        ...base,
        stream: 'reasoning',
        kind,
        chars: integer(row, 'chars'),
        words: numbers(row, 'words'),
        values: hashesFrom(row),
      };
    case 'message':
      return {
        ...base,
        stream: 'reasoning',
        kind,
        chars: integer(row, 'chars'),
        ...optionalInteger(row, 'tokens'),
        ...optionalText(row, 'model'),
        declared: list(row, 'declared').map((call) => ({ ...optionalText(call, 'callId'), tool: text(call, 'tool') })),
        words: numbers(row, 'words'),
      };
    case 'tool_attempt':
      return { ...base, stream: 'action', kind, ...callFrom(row), decision: 'none' };
    case 'tool_call':
      return {
        ...base,
        stream: 'action',
        kind,
        ...callFrom(row),
        decision: oneOf(row, 'decision', DECISIONS),
        ...optionalText(row, 'rawDecision'),
        ...optionalText(row, 'reason'),
        ...optionalText(row, 'ruleId'),
        ...optionalText(row, 'policyVersion'),
        ...optionalText(row, 'approvalId'),
        ...optionalText(row, 'error'),
        ...optionalInteger(row, 'resultClass'),
      };
    case 'tool_result':
      return {
        ...base,
        stream: 'action',
        kind,
        tool: text(row, 'tool'),
        ...optionalText(row, 'error'),
        resultClass: integer(row, 'resultClass'),
        values: hashesFrom(row),
      };
    default:
      throw new StoredShapeError(`column kind has an unknown value`);
  }
}

function baseFrom(row: RawRow): ObservationBase {
  return {
    id: text(row, 'id'),
    schemaVersion: SCHEMA_VERSION,
    time: integer(row, 'timeMs'),
    observedAt: integer(row, 'observedAtMs'),
    tenant: text(row, 'tenant'),
    agentId: text(row, 'agentId'),
    principalId: text(row, 'principalId'),
    ...optionalText(row, 'parentAgentId'),
    ...optionalText(row, 'sessionId'),
    ...optionalText(row, 'traceId'),
    ...optionalText(row, 'spanId'),
    ...optionalText(row, 'callId'),
    ...optionalInteger(row, 'seq'),
  };
}

function callFrom(row: RawRow) {
  return {
    tool: text(row, 'tool'),
    ...optionalText(row, 'operation'),
    effect: oneOf(row, 'effect', EFFECTS),
    ...(text(row, 'tier') === '' ? {} : { tier: oneOf(row, 'tier', TIERS) }),
    targets: list(row, 'targets').map(targetFrom),
    argWords: numbers(row, 'argWords'),
    argBytes: integer(row, 'argBytes'),
  };
}

function targetFrom(row: RawRow): Target {
  return {
    field: text(row, 'field'),
    kind: text(row, 'kind'),
    value: text(row, 'value'),
    hash: integer(row, 'hash'),
    words: numbers(row, 'words'),
    origin: oneOf(row, 'origin', ORIGINS),
    ...optionalText(row, 'originCall'),
    ...optionalText(row, 'originTool'),
  };
}

function rulesFrom(row: RawRow) {
  const expiresAt = row['expiresAtMs'];
  return {
    ...optionalText(row, 'tool'),
    tools: texts(row, 'tools'),
    ...optionalText(row, 'reason'),
    ...optionalText(row, 'approverId'),
    ...optionalText(row, 'requesterId'),
    ...optionalText(row, 'approvalId'),
    ...optionalText(row, 'policyVersion'),
    ...optionalText(row, 'posture'),
    ...(expiresAt === null || expiresAt === undefined ? {} : { expiresAt: integer(row, 'expiresAtMs') }),
  };
}

/** Hashes of values: a JSON text, because metrics have names and numbers in the same column. */
function hashesFrom(row: RawRow): number[] {
  const values: unknown = JSON.parse(text(row, 'values') || '[]');
  if (!Array.isArray(values)) throw new StoredShapeError('column values is no list of hashes');
  return values.map(Number);
}
