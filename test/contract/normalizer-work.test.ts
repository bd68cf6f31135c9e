import { workNormalizer } from '../../src/normalize/genai/work-normalizer.js';
import type { Work } from '../../src/normalize/genai/work-drafts.js';
import type { Said } from '../../src/normalize/genai/said.js';
import { normalizerContract } from './normalizer-contract.js';

/** As the OTLP intake hands it over, when it has found out whose it is. */
function work(said: Partial<Said> & Pick<Said, 'operation'>): Work {
  const place = { traceId: '5b8efff798038103d269b633813fc60c', spanId: 'eee19b7ec3c1b174' };
  const owner = { agentId: 'a', sessionId: 's' };
  const id = `${said.operation}-1`;
  return { said: { input: [], output: [], ...said }, id, ...place, startMs: 1_000, endMs: 1_250.4, ...owner };
}

const message = (text: string) => ({ role: 'user', text, calls: [], answers: [] });
const tool = { name: 'send_mail', callId: 'c1', args: { to: 'a@b.org' } };
const answer = { role: 'assistant', text: 'I will', calls: [{ tool: 'send_mail', callId: 'c1' }], answers: [] };

normalizerContract(workNormalizer, {
  good: [
    work({ operation: 'agent', input: [message('send it')] }),
    work({ operation: 'model', input: [message('send it')], output: [answer], inputTokens: 3, outputTokens: 4 }),
    work({ operation: 'spend', durationMs: 250 }),
    work({ operation: 'answer', output: [answer] }),
    work({ operation: 'tool', tool: { ...tool, result: 'sent' } }),
    work({ operation: 'decision', tool: { ...tool, decision: { decision: 'deny', raw: 'reject/user' } } }),
    work({ operation: 'decision', tool: { ...tool, decision: { decision: 'allow', raw: 'accept/config' } } }),
    work({ operation: 'tool', tool: { ...tool, name: 'n'.repeat(1_000), result: 'r'.repeat(300_000) } }),
  ],
  bad: [
    { record: { ...work({ operation: 'spend' }), startMs: -9, endMs: -1 }, field: 'time' },
    { record: { ...work({ operation: 'answer', output: [answer] }), agentId: '' }, field: 'agentId' },
  ],
  withContent: (text) => work({ operation: 'agent', input: [message(text)] }),
});
