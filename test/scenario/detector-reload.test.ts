import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { prepareService, ServiceProcess } from '../support/service-process.js';
import { repositoryRoot } from '../support/recorded.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

interface Status {
  detectors: { id: string; title: string; raised: number }[];
  detectorSet: { active: string; asked: string; refused: string[] };
}

/** One detector: every call of this tool. */
function detectorOn(tool: string): string {
  return `id: edited
title: Every call of ${tool}
description: Edited while the service runs.
lane: event
observes: [tool_call]
when: tool == "${tool}"
evidence: { nats: 1 }
streams: [action]
severity: low
tags: [ASI02]
reason: '{tool} was called'
observed: '{tool}'
expected: nothing
cases:
  - { name: that tool, events: [{ call: ${tool} }], expect: fires }
  - { name: another tool, events: [{ call: other }], expect: silent }
`;
}

describe('detectors edited while the service runs', () => {
  const directory = temporaryDirectory();
  const folder = join(directory.path, 'detectors');
  const file = join(folder, 'edited.yaml');
  let service: ServiceProcess;
  let calls = 0;

  beforeAll(async () => {
    mkdirSync(folder);
    cpSync(join(repositoryRoot, 'detectors', 'call-rate.yaml'), join(folder, 'call-rate.yaml'));
    writeFileSync(file, detectorOn('first_tool'));
    const setup = prepareService(directory.path, { detection: { detectorsDir: folder } });
    service = await ServiceProcess.start(setup);
  }, 120_000);

  afterAll(async () => {
    await service.stop();
    directory.remove();
  });

  it('act from then on, are refused when broken, and are the same after a kill', async () => {
    expect(await raisedBy('first_tool')).toBe(1);
    expect(await raisedBy('second_tool')).toBe(0);

    // An edit is seen by itself.
    writeFileSync(file, detectorOn('second_tool'));
    await eventually('the new set', async () => (await edited()).title === 'Every call of second_tool');
    expect(await raisedBy('second_tool')).toBe(1);
    expect(await raisedBy('first_tool')).toBe(0);
    const good = (await status()).detectorSet.active;

    // A mistake changes nothing but what the status says.
    writeFileSync(file, detectorOn('third_tool').replace('tool ==', 'tolo =='));
    await eventually('the refusal', async () => (await status()).detectorSet.refused.length > 0);
    const { detectorSet } = await status();
    expect(detectorSet.active).toBe(good);
    expect(detectorSet.refused[0]).toMatch(/edited\.yaml:6: when: unknown variable "tolo"; did you mean "tool"\?/);
    expect(service.log).toContain('the old set acts on');
    expect(await raisedBy('second_tool')).toBe(1);
    const answer = await service.request('/v1/detectors/reload', '', service.setup.keys.admin);
    expect([answer.status, await answer.json()]).toMatchObject([409, { status: 'refused', hash: good }]);

    // A restart takes the set that was active, although the folder is still broken.
    await service.kill();
    service = await ServiceProcess.start(service.setup);
    expect((await status()).detectorSet.active).toBe(good);
    expect(await raisedBy('second_tool')).toBe(1);
    expect(await raisedBy('third_tool')).toBe(0);

    // A signal asks for it as well; the folder is good again.
    writeFileSync(file, detectorOn('third_tool'));
    process.kill(service.pid, 'SIGHUP');
    await eventually('the repaired set', async () => (await edited()).title === 'Every call of third_tool');
    expect((await status()).detectorSet.refused).toEqual([]);
    expect(await service.post('/v1/detectors/reload', {})).toMatchObject({ status: 'unchanged', detectors: 2 });
    expect(await raisedBy('third_tool')).toBe(1);
    const forbidden = await service.request('/v1/detectors/reload', '', service.setup.keys.gateway);
    expect(forbidden.status).toBe(403);
  }, 120_000);

  async function status(): Promise<Status> {
    const all: unknown = await service.get('/v1/status');
    // Only the parts that are looked at here.
    return all as Status;
  }

  async function edited(): Promise<Status['detectors'][number]> {
    const found = (await status()).detectors.find(({ id }) => id === 'edited');
    if (found === undefined) throw new Error('the edited detector is gone');
    return found;
  }

  /** Signals of the edited detector that one call of a tool raises. */
  async function raisedBy(tool: string): Promise<number> {
    const before = (await edited()).raised;
    calls++;
    const time = Date.now();
    await service.observe('gateway', [
      {
        id: `call-${calls}`,
        time,
        agentId: 'agent-a',
        sessionId: `s-${calls}`,
        callId: `c-${calls}`,
        stream: 'action',
        kind: 'tool_call',
        tool,
        effect: 'read',
        decision: 'allow',
      },
    ]);
    await service.settled();
    await sleep(1);
    return (await edited()).raised - before;
  }
});
