import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WireObservation } from '../../src/model/wire.js';
import { prepareService, ServiceProcess } from '../support/service-process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const directory = temporaryDirectory();
let service: ServiceProcess;

beforeAll(async () => {
  service = await ServiceProcess.start(prepareService(directory.path));
}, 120_000);

afterAll(async () => {
  await service.stop();
  directory.remove();
});

it('content lies in ClickHouse without secrets and addresses, and who read it can be listed', async () => {
  const text = 'write to bob@example.org with password: hunter2hunter2';
  const said: WireObservation = {
    id: 'm1',
    time: Date.now(),
    agentId: 'a',
    sessionId: 's',
    stream: 'reasoning',
    kind: 'message',
    text,
  };
  await service.observe('agent-runtime', [said]);
  await service.settled({ stored: true });
  const path = `/v1/observations/${encodeURIComponent('agent-runtime/m1')}/content?reason=a%20test`;
  expect(await service.get(path)).toMatchObject({
    agentId: 'a',
    content: { text: 'write to [redacted:email] with password: [redacted:password]' },
  });
  await service.settled({ stored: true });
  expect(await service.get('/v1/audit')).toMatchObject({
    reads: [{ readBy: 'admin', role: 'admin', observationId: 'agent-runtime/m1', agentId: 'a', reason: 'a test' }],
  });
}, 120_000);
