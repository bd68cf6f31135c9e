import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Observation } from '../../src/model/observation.js';
import { secretOf, startApi, type ApiStack } from '../support/api-stack.js';
import { buildOpa, startOpa } from '../support/emitters/opa.js';
import { eventually } from '../support/eventually.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const program = await buildOpa();
const BUILD_MS = 16 * 60_000;

let stack: ApiStack;
beforeAll(async () => {
  stack = await startApi();
}, BUILD_MS);
afterAll(async () => {
  await stack.close();
});

const calls = (agentId: string) =>
  stack.logged().flatMap((record): Observation[] => {
    return record.type === 'observation' && record.value.agentId === agentId ? [record.value] : [];
  });

describe.skipIf(program === undefined)('the real Open Policy Agent', () => {
  it.each([undefined, 'team-a'])('has its decisions observed (partition %s)', async (partition) => {
    const agent = `opa-agent-${partition ?? 'none'}`;
    const directory = temporaryDirectory();
    const opa = await startOpa(program ?? '', {
      directory: directory.path,
      service: `${stack.url}/v1/sources/opa`,
      key: secretOf('gateway'),
      ...(partition === undefined ? {} : { partition }),
    });
    try {
      await opa.ask({ agent, session: 's1', tool: 'read_mail', args: { folder: 'inbox' } });
      await opa.ask({ agent, session: 's1', tool: 'send_money', args: { to: 'Bob', amount: 900 } });
      await eventually('both decisions are in the log', () => calls(agent).length >= 2);
    } finally {
      await opa.stop();
      directory.remove();
    }
    expect(calls(agent)).toMatchObject([
      { kind: 'tool_call', tool: 'read_mail', decision: 'allow', sessionId: 's1', reason: 'anybody may' },
      { kind: 'tool_call', tool: 'send_money', decision: 'deny', reason: 'nobody may send money' },
    ]);
    expect(calls(agent)).toHaveLength(2);
  });
});
