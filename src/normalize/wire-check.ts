import { DECISIONS, EFFECTS, GOVERNANCE_KINDS, ORIGINS, TIERS } from '../model/observation.js';
import {
  MAX_LIST,
  MAX_NAME_CHARS,
  MAX_SENTENCE_CHARS,
  MAX_TARGETS_GIVEN,
  MAX_TEXT_CHARS,
  wireTimeSchema,
} from '../model/wire.js';

/*
 * The schemas of src/model/wire.ts once more, by hand: the schema library costs ten times as much as these, and every
 * record passes here. They only say yes or no. What they do not let through is asked of the schema, which says why;
 * a test holds the two against each other.
 */

type Check = (value: unknown) => boolean;

const EPOCH_END_MS = 8.64e15;

const isName: Check = (value) =>
  typeof value === 'string' && value.length > 0 && value.length <= MAX_NAME_CHARS && value.isWellFormed();
const isText: Check = (value) => typeof value === 'string' && value.length <= MAX_TEXT_CHARS;
const isSentence: Check = (value) => typeof value === 'string' && value.length <= MAX_SENTENCE_CHARS;
const isCount: Check = (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const isTime: Check = (value) =>
  typeof value === 'number' ? isCount(value) && value <= EPOCH_END_MS : wireTimeSchema.safeParse(value).success;
const isResultClass: Check = (value) => value === 0 || value === 1 || value === 2;
const oneOf =
  (known: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && known.includes(value);
const listOf =
  (max: number, isItem: Check): Check =>
  (value) =>
    Array.isArray(value) && value.length <= max && value.every(isItem);

/** An object of exactly these fields. */
function fieldsOf(checks: Readonly<Record<string, Check>>, required: readonly string[]): Check {
  const byName = new Map(Object.entries(checks));
  return (value) => {
    if (!isPlain(value)) return false;
    let missing = required.length;
    for (const name in value) {
      const check = byName.get(name);
      if (check === undefined || !check(Reflect.get(value, name))) return false;
      if (required.includes(name)) missing--;
    }
    return missing === 0;
  };
}

/** An object of any fields with names of bounded length. */
const recordOf =
  (minChars: number, isValue: Check): Check =>
  (value) => {
    if (!isPlain(value)) return false;
    for (const name in value) {
      if (name.length < minChars || name.length > MAX_NAME_CHARS || !isValue(Reflect.get(value, name))) return false;
    }
    return true;
  };

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

const common = {
  id: isName,
  time: isTime,
  agentId: isName,
  parentAgentId: isName,
  sessionId: isName,
  traceId: isName,
  spanId: isName,
  callId: isName,
  seq: isCount,
  stream: () => true,
  kind: () => true,
};
const REQUIRED = ['time', 'agentId', 'stream', 'kind'];

/** Stream and kind are settled before. */
export const isPrompt = fieldsOf({ ...common, text: isText }, [...REQUIRED, 'text']);

export const isMessage = fieldsOf(
  {
    ...common,
    text: isText,
    tokens: isCount,
    model: isName,
    declared: listOf(MAX_LIST, fieldsOf({ callId: isName, tool: isName }, ['tool'])),
  },
  REQUIRED,
);

export const isToolCall = fieldsOf(
  {
    ...common,
    tool: isName,
    operation: isName,
    effect: oneOf(EFFECTS),
    tier: oneOf(TIERS),
    args: recordOf(0, () => true),
    targets: listOf(
      MAX_TARGETS_GIVEN,
      fieldsOf(
        {
          field: isName,
          kind: isName,
          value: isSentence,
          origin: oneOf(ORIGINS),
          originCall: isName,
          originTool: isName,
        },
        ['field', 'kind', 'value'],
      ),
    ),
    decision: oneOf(DECISIONS),
    rawDecision: isName,
    reason: isSentence,
    ruleId: isName,
    policyVersion: isName,
    approvalId: isName,
    error: isName,
    resultClass: isResultClass,
  },
  [...REQUIRED, 'tool', 'decision'],
);

export const isToolResult = fieldsOf(
  { ...common, tool: isName, error: isName, text: isText, resultClass: isResultClass },
  [...REQUIRED, 'tool'],
);

export const isGovernance = fieldsOf(
  {
    ...common,
    kind: oneOf(GOVERNANCE_KINDS),
    tool: isName,
    tools: listOf(MAX_LIST, isName),
    reason: isSentence,
    approverId: isName,
    approvalId: isName,
    policyVersion: isName,
    posture: isName,
    expiresAt: isTime,
  },
  REQUIRED,
);

export const isMetric = fieldsOf({ ...common, values: recordOf(1, Number.isFinite) }, [...REQUIRED, 'values']);
