import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig, type Config } from '../../src/config.js';
import { isInForce, type Command } from '../../src/model/command.js';
import type { Incident } from '../../src/model/incident.js';
import type { ResponseExplanation } from '../../src/respond/port.js';
import { openFedCore, type FedCore } from '../support/fed-core.js';
import { repositoryRoot } from '../support/recorded.js';
import { firstDifference } from '../support/same-effects.js';
import { readDataDirectory, scoreRecords } from '../support/scored-log.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SEED = 20_261_129;
const MINUTE_MS = 60_000;
/** Two classes that answer the same incident differently: one agent's tool is frozen, the other's session revoked. */
const PROFILES = {
  'careful.yaml': `agents: [careful-*]
response:
  revoke-session: { mode: off }
  freeze-tool: { toolSessions: 1, containMs: ${MINUTE_MS} }
  neverAct: [careful-vip]
`,
  'plain.yaml': 'agents: [plain-*]\n',
};

const directory = temporaryDirectory();
const baselinesDir = join(directory.path, 'baselines');
let config: Partial<Config>;
let fed: FedCore;
let sessions = 0;

beforeAll(() => {
  cpSync(join(repositoryRoot, 'baselines'), baselinesDir, { recursive: true });
  for (const [name, text] of Object.entries(PROFILES)) writeFileSync(join(baselinesDir, 'profiles', name), text);
  config = { mode: 'act', detection: { ...loadConfig(undefined, {}).detection, baselinesDir } };
  fed = openFedCore(SEED, config);
});

afterAll(async () => {
  fed.remove();
  directory.remove();
});

/** A session in which the agent does what no agent may: a broken invariant. */
async function misuse(agentId: string): Promise<Incident> {
  const sessionId = `${agentId}-${++sessions}`;
  const base = { agentId, sessionId, time: fed.clock.now() };
  const call = { tool: 'payments.change_limits', effect: 'auth', decision: 'allow', resultClass: 1 } as const;
  await fed.observe('agent-runtime', [{ ...base, stream: 'reasoning', kind: 'prompt', text: 'Tidy up the limits' }]);
  await fed.observe('gateway', [
    { ...base, ...call, stream: 'action', kind: 'tool_call', callId: `${sessionId}-c`, args: { limit: 1 } },
  ]);
  await fed.core.settled();
  const found = fed.core.incidents.list({ tenant: 'default', limit: 100 }).find((one) => one.sessionId === sessionId);
  if (found === undefined) throw new Error(`no incident of ${sessionId}`);
  return found;
}

function commandsOf({ commandIds }: Incident): Command[] {
  return commandIds.flatMap((id) => fed.core.commands.get('default', id) ?? []);
}

function explain({ id }: Incident): ResponseExplanation {
  const explanation = fed.core.scoring.explainResponse('default', id);
  if (explanation === undefined) throw new Error(`no explanation of ${id}`);
  return explanation;
}

/** What is said would be done, against what was done. */
function outcomes({ ladder }: ResponseExplanation): string[] {
  return ladder.flatMap(({ rung, outcome }) => (rung === 'alert' || outcome === 'none' ? [] : [`${rung} ${outcome}`]));
}

describe('response policy, through the real core', () => {
  it('answers the same incident by the policy of the agent’s class', async () => {
    const careful = await misuse('careful-1');
    const plain = await misuse('plain-1');
    expect(careful).toMatchObject({ violation: true, severity: plain.severity });
    expect(commandsOf(careful)).toMatchObject([
      { action: 'freeze-tool', tool: 'payments.change_limits', state: 'sent' },
    ]);
    expect(commandsOf(plain)).toMatchObject([{ action: 'revoke-session', state: 'sent' }]);
    const [frozen] = commandsOf(careful);
    expect((frozen?.expiresAt ?? 0) - (frozen?.issuedAt ?? 0)).toBe(MINUTE_MS);
  });

  it('explains with the same code what it does', async () => {
    const careful = await misuse('careful-2');
    const explanation = explain(careful);
    expect(outcomes(explanation)).toEqual(['freeze-tool send']);
    expect(explanation.case).toMatchObject({
      agentId: 'careful-2',
      agentClass: 'careful',
      violation: true,
      tool: 'payments.change_limits',
      mode: 'act',
    });
    const vip = await misuse('careful-vip');
    expect(commandsOf(vip)).toMatchObject([{ action: 'freeze-tool', state: 'proposed' }]);
    expect(explain(vip).ladder).toContainEqual(
      expect.objectContaining({ rung: 'freeze-tool', outcome: 'propose', held: 'the agent is on the never-act list' }),
    );
    expect(fed.core.scoring.explainResponse('default', 'inc_none')).toBeUndefined();
    expect(fed.core.scoring.explainResponse('elsewhere', careful.id)).toBeUndefined();
  });

  it('breaks a loop of containment and recovery', async () => {
    const states: string[] = [];
    let last: { command: Command | undefined; explanation: ResponseExplanation } | undefined;
    // What the cap counts has ended by then.
    await fed.tick(MINUTE_MS);
    for (let turn = 0; turn < 5; turn++) {
      const incident = await misuse('careful-3');
      const [command] = commandsOf(incident);
      states.push(`${command?.state} ${command?.waitsFor ?? ''}`.trim());
      last = { command, explanation: explain(incident) };
      await fed.tick(MINUTE_MS);
      await fed.core.settled();
    }
    expect(states).toEqual(['sent', 'sent', 'sent', 'proposed cool-down', 'proposed cool-down']);
    expect(last?.command?.reason).toContain('cool-down: contained 3 times within 24 h');
    expect(last?.explanation.ladder[2]).toMatchObject({ outcome: 'propose', waitsFor: 'cool-down' });
  });

  it('loosens nothing by itself but what has expired', async () => {
    const all = fed.core.commands.list({ tenant: 'default', limit: 1_000 });
    const ended = all.filter((command) => command.sentAt !== undefined && !isInForce(command));
    expect(ended.length).toBeGreaterThan(0);
    for (const { state, expiresAt } of ended) {
      expect(state).toBe('expired');
      expect(expiresAt).toBeLessThanOrEqual(fed.clock.now());
    }
  });

  it('is the same when the log is scored again, over restarts', async () => {
    await fed.close();
    const { records, outbox } = await readDataDirectory(fed.dataDir);
    const restartsAt = [12, 20, 28, 33];
    const again = await scoreRecords(records, { seed: SEED, config, restartsAt });
    expect(again.restarts).toBe(restartsAt.length);
    expect(firstDifference(again.outbox, outbox)).toBeUndefined();
  });
});
