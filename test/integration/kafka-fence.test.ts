import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaConnection } from '../../src/kafka/client.js';
import { eventually } from '../support/eventually.js';
import { connectTo, follow, makeTopic, sharedKafka, uniqueName } from '../support/kafka/shared-kafka.js';

const shared = await sharedKafka();
const MEMBER = fileURLToPath(new URL('../../dist/test/support/kafka/member-process.js', import.meta.url));
const SESSION_MS = 2_000;

interface Line {
  assigned?: number;
  act?: number;
  committed?: number;
  refused?: number;
}

describe.skipIf(shared.missing !== undefined)('a member that stood still', () => {
  let kafka: KafkaConnection;
  beforeAll(() => {
    kafka = connectTo(shared.brokers);
  });
  afterAll(() => kafka.close());

  it('does nothing in the name of partitions that went to another meanwhile', async () => {
    const topic = await makeTopic(kafka);
    const groupId = uniqueName('group');
    const child = spawn(process.execPath, [MEMBER, shared.brokers.join(','), topic, groupId, String(SESSION_MS)]);
    const lines: Line[] = [];
    createInterface(child.stdout).on('line', (line) => lines.push(JSON.parse(line) as Line));
    const { pid } = child;
    if (pid === undefined) throw new Error('the member did not start');
    try {
      await eventually('it acts', () => lines.some(({ committed }) => committed !== undefined));
      process.kill(pid, 'SIGSTOP');
      const before = lines.length;
      const other = follow(kafka, [topic], { groupId, sessionTimeoutMs: SESSION_MS });
      await eventually('the other has the partition', () => other.group.owns(topic, 0));
      await other.group.commit([{ topic, partition: 0, offset: 0, metadata: 'the other' }], other.group.generation);
      const lastOwn = Math.max(...lines.map(({ assigned = 0 }) => assigned));
      process.kill(pid, 'SIGCONT');
      await eventually('it has joined anew', () => lines.some(({ assigned = 0 }) => assigned > lastOwn));
      // What it had said before it was stopped may still have been on its way.
      const after = lines.slice(before).filter(({ assigned = 0 }) => assigned <= lastOwn);
      const late = after.filter(({ act }) => act !== undefined).length;
      const said = lines.slice(0, before).filter(({ act }) => act !== undefined).length;
      const heard = lines.filter(({ committed, refused }) => committed !== undefined || refused !== undefined).length;
      expect({ late, said: said > 0, heard: heard > 0 }).toEqual({ late: 0, said: true, heard: true });
      await other.group.stop();
    } finally {
      child.kill('SIGKILL');
    }
  });
});
