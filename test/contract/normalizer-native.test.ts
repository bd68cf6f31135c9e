import { nativeNormalizer } from '../../src/normalize/native.js';
import { normalizerContract } from './normalizer-contract.js';

const base = { time: 1_000, agentId: 'a', sessionId: 's' };
const prompt = { ...base, stream: 'reasoning', kind: 'prompt', text: 'hello' };
const call = {
  ...base,
  stream: 'action',
  kind: 'tool_call',
  tool: 'send_mail',
  decision: 'allow',
  args: { to: 'a@b.org' },
};
const metric = { ...base, stream: 'metric', kind: 'sample', values: { latencyMs: 3 } };

normalizerContract(nativeNormalizer, {
  good: [
    prompt,
    { ...prompt, id: 'my-id', time: '2025-01-06T00:47:33.094+01:00' },
    { ...base, stream: 'reasoning', kind: 'message', text: 'I will', declared: [{ callId: 'c1', tool: 'send_mail' }] },
    call,
    { ...base, stream: 'action', kind: 'tool_result', tool: 'read', text: 'from: x@y.org' },
    { ...base, stream: 'governance', kind: 'grant', tools: ['send_mail'], expiresAt: 2_000 },
    metric,
  ],
  bad: [
    { record: null, field: '' },
    { record: [prompt], field: '' },
    { record: 'text', field: '' },
    { record: {}, field: 'stream' },
    { record: { ...prompt, stream: 'thoughts' }, field: 'stream' },
    { record: { ...prompt, kind: undefined }, field: 'kind' },
    { record: { ...prompt, kind: 'tool_call' }, field: 'kind' },
    { record: { ...call, kind: 'tool_attempt' }, field: 'kind' },
    { record: { ...prompt, time: undefined }, field: 'time' },
    { record: { ...prompt, time: NaN }, field: 'time' },
    { record: { ...prompt, time: Infinity }, field: 'time' },
    { record: { ...prompt, time: -1 }, field: 'time' },
    { record: { ...prompt, time: 1.5 }, field: 'time' },
    { record: { ...prompt, time: '2025-01-06 00:47' }, field: 'time' },
    { record: { ...prompt, text: 7 }, field: 'text' },
    { record: { ...prompt, text: 'x'.repeat(200_001) }, field: 'text' },
    { record: { ...prompt, agentId: '' }, field: 'agentId' },
    { record: { ...prompt, seq: -1 }, field: 'seq' },
    { record: { ...prompt, tenant: 'other' }, field: 'tenant' },
    { record: { ...call, decision: 'maybe' }, field: 'decision' },
    { record: { ...call, args: [1] }, field: 'args' },
    {
      record: { ...call, targets: [{ field: 'to', kind: 'email', value: 'x', origin: 'sky' }] },
      field: 'targets.0.origin',
    },
    { record: { ...metric, values: { latencyMs: NaN } }, field: 'values.latencyMs' },
    { record: { ...metric, values: { latencyMs: Infinity } }, field: 'values.latencyMs' },
    { record: { ...metric, values: JSON.parse('{"__proto__":1}') }, field: 'values.__proto__' },
    {
      record: { ...metric, values: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`m${i}`, i])) },
      field: 'values',
    },
    { record: { ...call, args: nested(100) }, field: '' },
  ],
  withContent: (text) => ({ ...prompt, text }),
});

function nested(depth: number): unknown {
  let value: unknown = {};
  for (let i = 0; i < depth; i++) value = { a: value };
  return value;
}
