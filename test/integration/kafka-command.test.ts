import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { kafka as command } from '../../src/cli/kafka.js';
import type { KafkaConnection } from '../../src/kafka/client.js';
import { topicsOf } from '../../src/kafka/topics.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { connectTo, follow, sharedKafka, uniqueName } from '../support/kafka/shared-kafka.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const shared = await sharedKafka();

describe('parallax kafka', () => {
  const directory = temporaryDirectory();
  let prefix: string;
  beforeEach(() => {
    prefix = uniqueName('px');
  });
  afterAll(() => directory.remove());

  async function run(
    what: string,
    settings: Record<string, unknown> = {},
    brokers = shared.brokers,
  ): Promise<{ code: number; text: string }> {
    const cluster = {
      kafka: { brokers },
      topicPrefix: prefix,
      groupId: `${prefix}-workers`,
      partitions: 3,
      replicationFactor: 1,
    };
    const file = join(directory.path, 'parallax.yaml');
    writeFileSync(file, JSON.stringify({ cluster: { ...cluster, ...settings } }));
    let text = '';
    const keep = (more: string): void => {
      text += more;
    };
    const console = { out: keep, err: keep, isTerminal: false };
    const code = await command.run({ values: { config: file }, positionals: [what], env: {}, console });
    return { code, text };
  }

  it('says what no broker answers, and what to look at', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const { code, text } = await run('doctor', {}, [address]);
    expect(code).toBe(1);
    expect(text).toContain(`WRONG no broker answers at ${address}`);
    expect(text).toContain('-> check cluster.kafka.brokers');
  });

  it('refuses other words, and a configuration without a cluster', async () => {
    await expect(run('destroy')).rejects.toThrow(/parallax kafka init, or parallax kafka doctor/);
    const console = { out: () => {}, err: () => {}, isTerminal: false };
    await expect(command.run({ values: {}, positionals: ['init'], env: {}, console })).rejects.toThrow(/is not set/);
  });

  describe.skipIf(shared.missing !== undefined)('with a broker', () => {
    let kafka: KafkaConnection;
    beforeAll(() => {
      kafka = connectTo(shared.brokers);
    });
    afterAll(() => kafka.close());

    it('makes what is missing, mends what is wrong, and leaves the rest', async () => {
      const before = await run('doctor');
      expect(before.code).toBe(1);
      expect(before.text.match(/WRONG .* does not exist/g)).toHaveLength(7);
      expect(before.text).toContain('run "parallax kafka init"');

      const first = await run('init');
      expect(first).toMatchObject({ code: 0, text: expect.stringContaining('the topics are ready') });
      expect(first.text.match(/^created /gm)).toHaveLength(7);
      const names = topicsOf(prefix);
      const described = await kafka.admin.describe(Object.values(names));
      expect(
        Object.fromEntries(
          described.map(({ topic, partitions }) => [topic.slice(prefix.length + 1), partitions.length]),
        ),
      ).toEqual({
        observations: 3,
        state: 3,
        'command-events': 1,
        commands: 1,
        incidents: 1,
        nodes: 1,
        profiles: 1,
      });
      expect(await kafka.admin.topicConfig(names.state)).toMatchObject({
        'cleanup.policy': 'compact',
        'min.compaction.lag.ms': '86400000',
        'unclean.leader.election.enable': 'false',
      });

      const again = await run('init');
      expect(again.text.match(/^unchanged /gm)).toHaveLength(7);
      const well = await run('doctor');
      expect(well.text).not.toContain('WRONG');
      expect(well.code).toBe(0);
      expect(well.text).toContain(`${names.observations}: 3 partitions, 1 copies`);
      expect(well.text).toContain('has no members');

      await kafka.admin.setTopicConfig(names.observations, {
        'unclean.leader.election.enable': 'true',
        'retention.ms': '1000',
        'segment.bytes': '1234567',
      });
      const ill = await run('doctor');
      expect(ill.code).toBe(1);
      expect(ill.text).toMatch(/WRONG .*unclean.leader.election.enable=true instead of false: a copy that lags/);
      expect(ill.text).toContain('retention.ms=1000 instead of 604800000');
      await kafka.admin.setTopicConfig(names.nodes, { 'cleanup.policy': 'delete' });
      expect((await run('doctor')).text).toContain('cleanup.policy=delete instead of compact');
      // Looking writes nothing, also where a topic would take what is asked of it.
      expect(await kafka.topicOffsets(names.nodes)).toEqual([{ partition: 0, low: 0, high: 0 }]);
      expect(await kafka.topicOffsets(names.incidents)).toEqual([{ partition: 0, low: 0, high: 0 }]);
      const mended = await run('init');
      expect(mended.text).toMatch(/updated .*retention\.ms 1000 -> 604800000/);
      expect(await kafka.admin.topicConfig(names.observations)).toMatchObject({
        'retention.ms': '604800000',
        // A setting of the users' own stays.
        'segment.bytes': '1234567',
      });
    });

    it('never changes where records lie', async () => {
      await run('init');
      const other = await run('init', { partitions: 4 });
      expect(other.code).toBe(1);
      expect(other.text).toContain('has 3 partitions, the configuration says 4');
      expect(other.text).toContain('set cluster.partitions: 3');
      const seen = await run('doctor', { partitions: 4 });
      expect(seen.code).toBe(1);
      expect(seen.text).toContain('has 3 partitions, the configuration says 4');
    });

    it('asks for as many brokers as there are copies', async () => {
      await expect(run('init', { replicationFactor: 3 })).rejects.toMatchObject({
        code: 'KAFKA_REFUSED',
        message: expect.stringContaining('set cluster.replicationFactor: 1'),
      });
    });

    it('tells how far the workers are, and what retention took before it was scored', async () => {
      await run('init');
      const topic = topicsOf(prefix).observations;
      const value = Buffer.from('x');
      await kafka.produce([1, 2, 3, 4, 5].map(() => ({ topic, partition: 1, value })));
      const { group } = follow(kafka, [topic], { groupId: `${prefix}-workers` });
      await eventually('it has joined', () => group.owns(topic, 1));
      await group.commit([{ topic, partition: 1, offset: 2 }], group.generation);
      expect((await run('doctor')).text).toMatch(/ok +group .*-workers: Stable, 1 members, 3 observations behind/);
      await kafka.admin.deleteRecords(topic, [{ partition: 1, offset: 4 }]);
      const { code, text } = await run('doctor');
      expect(code).toBe(1);
      expect(text).toContain('lost 2 observations to retention before they were scored');
      await group.stop();
    });
  });
});
