import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wireObservationSchema } from '../../../src/model/wire.js';
import {
  isGovernance,
  isMessage,
  isMetric,
  isPrompt,
  isToolCall,
  isToolResult,
} from '../../../src/normalize/wire-check.js';

const [spoken, governance, metric] = wireObservationSchema.options;
const [prompt, message, toolCall, toolResult] = spoken.options;

const base = { time: 1_736_124_453_094, agentId: 'a', sessionId: 's' };
const shapes = [
  { fits: isPrompt, schema: prompt, sound: { ...base, stream: 'reasoning', kind: 'prompt', text: 'pay it' } },
  {
    fits: isMessage,
    schema: message,
    sound: { ...base, stream: 'reasoning', kind: 'message', tokens: 3, declared: [{ tool: 'pay', callId: 'c' }] },
  },
  {
    fits: isToolCall,
    schema: toolCall,
    sound: {
      ...base,
      stream: 'action',
      kind: 'tool_call',
      tool: 'pay',
      decision: 'allow',
      effect: 'write',
      tier: 'approval',
      args: { to: 'x', deep: { er: [1] } },
      targets: [{ field: 'to', kind: 'party', value: 'x', origin: 'prompt' }],
      resultClass: 2,
    },
  },
  {
    fits: isToolResult,
    schema: toolResult,
    sound: { ...base, stream: 'action', kind: 'tool_result', tool: 'pay', text: 'done', resultClass: 0 },
  },
  {
    fits: isGovernance,
    schema: governance,
    sound: { ...base, stream: 'governance', kind: 'session_start', tools: ['pay'], expiresAt: '2025-01-06T00:47:33Z' },
  },
  { fits: isMetric, schema: metric, sound: { ...base, stream: 'metric', kind: 'sample', values: { cpu: 0.5 } } },
];

/** What fields may hold, sound and unsound. */
const anything = fc.oneof(
  fc.constantFrom<unknown>('', 'x'.repeat(256), 'x'.repeat(257), 'x'.repeat(4_097), '\ud800', null, true, 'allow'),
  fc.constantFrom<unknown>(-1, 0, 1, 1.5, 3, 8.64e15, 8.64e15 + 2, 2 ** 60, NaN, Infinity),
  fc.constantFrom<unknown>('2025-02-30T00:00:00Z', '2025-02-28T00:00:00+02:00', '2025-02-28', 'write', 'none'),
  fc.constantFrom<unknown>([], ['x'], [''], [{}], [{ tool: 'x' }], [{ tool: 'x', more: 1 }], {}, { '': 1 }, { a: 'b' }),
  fc.constantFrom<unknown>([{ field: 'f', kind: 'k', value: '' }], [{ field: '', kind: 'k', value: '' }], { n: NaN }),
  fc.constantFrom<unknown>(Array.from({ length: 65 }, () => ({ field: 'f', kind: 'k', value: 'v' }))),
  fc.constantFrom<unknown>(
    Array.from({ length: 513 }, () => 'x'),
    { ['x'.repeat(257)]: 1 },
    'x'.repeat(200_001),
  ),
);
const fieldNames = [
  ...new Set(shapes.flatMap(({ sound }) => Object.keys(sound))),
  'id',
  'seq',
  'error',
  'reason',
  'more',
]
  .concat('parentAgentId', 'traceId', 'spanId', 'callId', 'model', 'operation', 'rawDecision', 'ruleId', 'approvalId')
  .concat('policyVersion', 'approverId', 'posture')
  .filter((name) => name !== 'stream' && name !== 'kind');

describe('the checks by hand', () => {
  it.each(shapes)('let $sound.kind through as the schema does', ({ fits, schema, sound }) => {
    expect(schema.safeParse(sound).success).toBe(true);
    expect(fits(sound)).toBe(true);
  });

  it('say the same as the schema of whatever a field holds', () => {
    const changes = fc.array(fc.tuple(fc.constantFrom(...fieldNames), anything), { minLength: 1, maxLength: 2 });
    fc.assert(
      fc.property(fc.constantFrom(...shapes), changes, ({ fits, schema, sound }, changed) => {
        const record = { ...sound, ...Object.fromEntries(changed) };
        expect(fits(record)).toBe(schema.safeParse(record).success);
      }),
      { numRuns: 3_000 },
    );
  });

  it('miss a required field as the schema does', () => {
    for (const { fits, schema, sound } of shapes) {
      for (const name of Object.keys(sound).filter((own) => own !== 'stream' && own !== 'kind')) {
        const record = Object.fromEntries(Object.entries(sound).filter(([own]) => own !== name));
        expect(fits(record), `${sound.kind} without ${name}`).toBe(schema.safeParse(record).success);
      }
    }
  });

  it('take nothing that is not a plain object', () => {
    for (const { fits } of shapes) {
      for (const value of [undefined, null, 1, 'x', [], new Map()]) expect(fits(value)).toBe(false);
    }
  });
});
