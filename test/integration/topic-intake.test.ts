import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CloudEvent, Kafka as KafkaBinding } from 'cloudevents';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openClusterObserver } from '../../src/cluster/cluster-observer.js';
import type { KafkaConnection } from '../../src/kafka/client.js';
import { initTopics } from '../../src/kafka/init-topics.js';
import { partitionOf } from '../../src/kafka/partitioner.js';
import { systemClock } from '../../src/lib/clock.js';
import { decodeRecord } from '../../src/log/record-codec.js';
import { clusterSchema } from '../../src/model/kafka-settings.js';
import type { TopicSourceReport } from '../../src/model/source-report.js';
import { createLogger } from '../../src/telemetry/logger.js';
import { startTopicIntake } from '../../src/topic-intake.js';
import { runVercelAgent } from '../support/emitters/agents.js';
import { collectExports, realSdk } from '../support/emitters/otel-sdk.js';
import { standInModel } from '../support/emitters/stand-in-model.js';
import { eventually } from '../support/eventually.js';
import { connectTo, makeTopic, sharedKafka, uniqueName } from '../support/kafka/shared-kafka.js';
import { meshEvent } from '../support/records/cloud-events.js';
import { request } from '../support/records/litellm.js';
import { decision } from '../support/records/opa.js';
import { prepareService, runParallax, ServiceProcess } from '../support/service-process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { openTopicStack, TOPIC_KEYS, topicConfig, type TopicStack } from '../support/topic-stack.js';

const shared = await sharedKafka();
const READER = fileURLToPath(new URL('../../dist/test/support/topic-intake-process.js', import.meta.url));
const START_MS = Date.now() - 60_000;

describe.skipIf(shared.missing !== undefined)('topics of others', () => {
  let kafka: KafkaConnection;
  let directory: ReturnType<typeof temporaryDirectory>;
  let stack: TopicStack | undefined;
  beforeAll(() => {
    kafka = connectTo(shared.brokers);
  });
  afterAll(() => kafka.close());
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(async () => {
    await stack?.close();
    stack = undefined;
    directory.remove();
  });

  const source = (id: string, topics: readonly string[], format: string, more: Record<string, unknown> = {}) => ({
    id,
    kafka: { brokers: shared.brokers },
    topics,
    format,
    groupId: uniqueName('sources'),
    principal: 'topics',
    ...more,
  });
  const open = (...sources: Record<string, unknown>[]): TopicStack => {
    stack = openTopicStack(directory.path, sources);
    return stack;
  };
  const prompt = (agentId: string, text: string, change: Record<string, unknown> = {}) => ({
    stream: 'reasoning',
    kind: 'prompt',
    time: START_MS,
    agentId,
    sessionId: 's1',
    text,
    ...change,
  });
  const bytes = (value: unknown): Buffer =>
    Buffer.isBuffer(value) ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  const write = async (topic: string, ...values: unknown[]): Promise<void> => {
    await kafka.produce(values.map((value) => ({ topic, partition: 0, value: bytes(value) })));
  };
  const idsOf = (observations: readonly { id: string }[]) => new Set(observations.map(({ id }) => id));
  const isAtEnd = ({ reportOf }: TopicStack, id: string) =>
    reportOf(id).state === 'reading' && reportOf(id).partitions.every(({ lag }) => lag === 0);
  const headersOf = (headers: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(String(value))]));

  it('are read in every format', async () => {
    const names = ['native', 'events', 'litellm', 'opa', 'traces', 'logs', 'metrics', 'json'] as const;
    const topics = Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await makeTopic(kafka)] as const)),
    ) as Record<(typeof names)[number], string>;

    await write(topics.native, prompt('ann', 'one'), [prompt('ann', 'two'), prompt('ann', 'three')]);
    await write(topics.native, `${JSON.stringify(prompt('ann', 'four'))}\n${JSON.stringify(prompt('ann', 'five'))}\n`);
    const event = new CloudEvent({
      id: 'event-9',
      source: 'urn:example:gateway',
      type: 'io.parallax.observation',
      time: new Date(START_MS).toISOString(),
      datacontenttype: 'application/json',
      data: { stream: 'reasoning', kind: 'prompt', agentId: 'eve', sessionId: 's1', text: 'a hotel' },
    });
    for (const { headers, value } of [KafkaBinding.binary(event), KafkaBinding.structured(event)]) {
      await kafka.produce([{ topic: topics.events, partition: 0, value: bytes(value), headers: headersOf(headers) }]);
    }
    await write(topics.events, meshEvent());
    await write(topics.litellm, request());
    await write(topics.opa, decision());

    // The value of a record is what the SDK posts: the Collector's exporter marshals the same messages.
    const model = await standInModel();
    for (const [encoding, prefix] of [
      ['protobuf', ''],
      ['json', 'json'],
    ] as const) {
      const exports = await collectExports();
      const sdk = realSdk(exports.url, encoding);
      await runVercelAgent(model.url, sdk.tracer);
      sdk.meter.createGauge('queue.depth').record(4, { 'gen_ai.agent.id': 'travel-agent' });
      sdk.logger.emit({
        eventName: 'gen_ai.client.inference.operation.details',
        attributes: {
          'gen_ai.operation.name': 'chat',
          'gen_ai.agent.id': 'logger',
          'gen_ai.conversation.id': 'c1',
          'gen_ai.usage.input_tokens': 7,
        },
      });
      await sdk.close();
      await exports.close();
      for (const { path, body } of exports.sent) {
        const signal = path.slice('/v1/'.length) as 'traces' | 'logs' | 'metrics';
        if (prefix === '') await write(topics[signal], body);
        else if (signal === 'traces') await write(topics.json, body);
      }
    }
    await model.close();

    const { observations, reportOf, deadLetters } = open(
      source('native', [topics.native], 'native'),
      source('events', [topics.events], 'cloudevents'),
      source('litellm', [topics.litellm], 'litellm'),
      source('opa', [topics.opa], 'map/opa'),
      source('traces', [topics.traces], 'otlp_proto/traces'),
      source('logs', [topics.logs], 'otlp_proto/logs'),
      source('metrics', [topics.metrics], 'otlp_proto/metrics'),
      source('json', [topics.json], 'otlp_json/traces'),
    );
    await eventually('all are read to their end', () =>
      names.every((name) => {
        const { state, partitions, records } = reportOf(name);
        return state === 'reading' && records > 0 && partitions.every(({ lag }) => lag === 0);
      }),
    );
    expect(deadLetters()).toEqual([]);
    expect(observations('ann')).toHaveLength(5);
    const events = observations('eve');
    expect(events).toMatchObject([{ kind: 'prompt', time: START_MS }, { kind: 'prompt' }]);
    expect(events[0]?.id).toBe(events[1]?.id);
    expect(observations('did:mesh:travel-agent')).toMatchObject([{ kind: 'tool_call', tool: 'send_mail' }]);
    expect(observations('logger').length).toBeGreaterThan(0);
    const seen = observations('travel-agent');
    for (const kind of ['prompt', 'message', 'tool_call', 'tool_result', 'sample']) {
      expect(seen.map((one) => one.kind)).toContain(kind);
    }
    expect(seen.filter((one) => one.kind === 'tool_call').map(({ tool }) => tool)).toEqual(
      expect.arrayContaining(['book_hotel', 'send_mail']),
    );
    expect(seen.some((one) => one.kind === 'sample' && one.values['queue.depth'] === 4)).toBe(true);
    // Both encodings of the same run: two runs of the SDK have two traces, of the same shape.
    expect(reportOf('json').accepted).toBe(reportOf('traces').accepted);
  });

  it('say whose a span is also where that lies behind it', async () => {
    const topic = await makeTopic(kafka);
    const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });
    const span = (spanId: string, operation: string, more: object) => ({
      traceId: '5b8efff798038103d269b633813fc60c',
      spanId,
      name: operation,
      startTimeUnixNano: `${START_MS}000000`,
      endTimeUnixNano: `${START_MS + 100}000000`,
      ...more,
    });
    // One span a record, as some versions of the exporter write them, and the parent ends last.
    const exportOf = (one: object) => ({ resourceSpans: [{ scopeSpans: [{ spans: [one] }] }] });
    const call = span('eee19b7ec3c1b174', 'execute_tool', {
      parentSpanId: 'eee19b7ec3c1b173',
      attributes: [attribute('gen_ai.operation.name', 'execute_tool'), attribute('gen_ai.tool.name', 'pay')],
    });
    const parent = span('eee19b7ec3c1b173', 'invoke_agent', {
      attributes: [attribute('gen_ai.operation.name', 'invoke_agent'), attribute('gen_ai.agent.id', 'payer')],
    });
    const { core, observations, reportOf } = open(source('spans', [topic], 'otlp_json/traces'));
    await write(topic, exportOf(call));
    await eventually('it waits for its parent', () => core.otlp.counters().waited === 1);
    expect(reportOf('spans').records).toBe(0);
    await write(topic, exportOf(parent));
    await eventually('both are read', () => reportOf('spans').records === 2);
    expect(observations('payer')).toEqual(
      expect.arrayContaining([expect.objectContaining({ kind: 'tool_call', tool: 'pay' })]),
    );
    expect(core.otlp.counters().unplaced).toBe(0);
  });

  it('are read together in time while they catch up', async () => {
    const topic = await makeTopic(kafka, 2);
    // Ten minutes in one partition, and the same in far more records in the other.
    const counts = [100, 2_000];
    // Records with times of their own, as others write them; loaded behind what mends it for the observer.
    const { Kafka, logLevel, Partitioners } = await import('kafkajs');
    const producer = new Kafka({ brokers: shared.brokers, logLevel: logLevel.NOTHING }).producer({
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    for (const [partition, count] of counts.entries()) {
      const messages = Array.from({ length: count }, (_, i) => {
        const time = START_MS - Math.round(((count - i) * 600_000) / count);
        const value = bytes(
          prompt(`agent-${partition}`, `text ${i} ${'x'.repeat(600)}`, { id: `p${partition}-${i}`, time }),
        );
        return { partition, value, timestamp: String(time) };
      });
      for (let i = 0; i < count; i += 500) await producer.send({ topic, messages: messages.slice(i, i + 500) });
    }
    await producer.disconnect();
    const { core, observations, reportOf } = open(source('skewed', [topic], 'native'));
    await eventually('all are read', () => reportOf('skewed').records >= 2_100);
    await core.settled();
    expect(idsOf(observations()).size).toBe(2_100);
    expect(core.scoring.counters.late).toBe(0);
  });

  it('cost only themselves where they are bad, and say where they lie', async () => {
    const topic = await makeTopic(kafka);
    const headers = (format: string) => ({ 'x-format': Buffer.from(format) });
    const record = (value: unknown, more: object = {}) => ({
      topic,
      partition: 0,
      value: value === null ? null : bytes(value),
      ...more,
    });
    await kafka.produce([
      record(prompt('ann', 'first')),
      record('{"stream":'),
      record(null),
      record(Buffer.alloc(0)),
      record(prompt('ann', 'x'.repeat(3_000))),
      record(Buffer.from([0xff, 0xfe, 0x00])),
      record(`${'['.repeat(400)}${']'.repeat(400)}`, { key: Buffer.from([0xff, 0]) }),
      record(decision(), { headers: headers('map/opa') }),
      record(prompt('ann', 'no'), { headers: headers('litellm') }),
      record(prompt('ann', 'last'), { headers: { __proto__x: Buffer.from('1'), constructor: Buffer.from('1') } }),
    ]);
    const { observations, deadLetters, reportOf } = open(
      source('mixed', [topic], 'native', {
        maxMessageBytes: 2_000,
        formatHeader: { name: 'x-format', formats: ['map/opa'] },
      }),
    );
    await eventually('all are read', () => reportOf('mixed').records === 10);
    expect(observations('ann').map(({ kind }) => kind)).toEqual(['prompt', 'prompt']);
    expect(observations('travel-agent')).toMatchObject([{ kind: 'tool_call' }]);
    expect(reportOf('mixed')).toMatchObject({ accepted: 3, refused: 6, tombstones: 1, state: 'reading' });
    const letters = deadLetters().map(({ reason }) => reason);
    const at = (offset: number) =>
      letters.find((reason) => reason.startsWith(`topic ${topic}, partition 0, offset ${offset}: `));
    expect([1, 3, 4, 5, 6, 8].map((offset) => [offset, at(offset) !== undefined])).toEqual(
      [1, 3, 4, 5, 6, 8].map((offset) => [offset, true]),
    );
    expect(at(4)).toMatch(/maxMessageBytes/);
    expect(at(8)).toMatch(/formatHeader/);
    expect(new Set(deadLetters().map(({ hash }) => hash)).size).toBe(6);
  });

  it('may say only what their key is bound to', async () => {
    const topic = await makeTopic(kafka);
    await write(topic, prompt('bob', 'mine'), prompt('ann', 'not mine'));
    const { core, observations, deadLetters, reportOf } = open(
      source('bound', [topic], 'native', { principal: 'bound', contentLevel: 'off' }),
    );
    await eventually('all are read', () => reportOf('bound').records === 2);
    expect(observations().map(({ agentId, principalId }) => [agentId, principalId])).toEqual([['bob', 'bound']]);
    expect(deadLetters()).toMatchObject([{ field: 'agentId', excerpt: '[withheld]' }]);
    expect(core.door.report('default').map(({ principalId }) => principalId)).toContain('bound');
  });

  it('go on where they were after a restart, and wait while the log takes no more', async () => {
    const topic = await makeTopic(kafka, 4);
    const settings = source('many', [topic], 'native');
    // With ids: a producer may write twice.
    const spread = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => {
        const n = from + i;
        const record = prompt(`agent-${n % 4}`, `text ${n}`, { id: `n${n}`, time: START_MS + n });
        return { topic, partition: n % 4, value: bytes(record) };
      });
    await kafka.produce(spread(0, 400));
    stack = openTopicStack(directory.path, [settings], (config) => {
      // Four partitions at once are too much.
      config.http.maxPendingBytes = 1;
    });
    const first = stack;
    await eventually('all are read', () => idsOf(first.observations()).size === 400 && isAtEnd(first, 'many'), 40_000);
    const { records, refused, waits } = first.reportOf('many');
    expect(refused).toBe(0);
    expect(waits).toBeGreaterThan(0);
    await first.close();

    await kafka.produce(spread(400, 420));
    const second = open(settings);
    await eventually(
      'the new ones are read',
      () => idsOf(second.observations()).size === 420 && isAtEnd(second, 'many'),
    );
    // From where it was, not from the beginning.
    expect(second.reportOf('many').records).toBeLessThan(records / 2);
  });

  it('are found out where they are keyed by nothing, and nothing is lost by it', async () => {
    const topic = await makeTopic(kafka, 3);
    await kafka.produce(
      Array.from({ length: 30 }, (_, i) => {
        const record = prompt('ann', `text ${i}`, { id: `n${i}` });
        return { topic, partition: i % 3, value: bytes(record) };
      }),
    );
    const { observations, reportOf } = open(source('round', [topic], 'native'));
    await eventually('all are read', () => idsOf(observations('ann')).size === 30);
    expect(reportOf('round').strayed).toBeGreaterThan(0);
  });

  it('raise an incident where records were deleted before they were read', async () => {
    const topic = await makeTopic(kafka);
    const settings = source('short', [topic], 'native');
    await write(topic, prompt('ann', 'one'));
    const first = open(settings);
    await eventually('it is read', () => first.reportOf('short').records === 1);
    await first.close();
    await write(topic, prompt('ann', 'two'), prompt('ann', 'three'), prompt('ann', 'four'));
    await kafka.admin.deleteRecords(topic, [{ partition: 0, offset: 3 }]);
    const { core, observations, reportOf } = open(settings);
    await eventually('the rest is read', () => reportOf('short').records === 1);
    expect(observations('ann')).toHaveLength(2);
    expect(reportOf('short').lost).toBe(2);
    await core.watchSources();
    await core.settled();
    expect(core.incidents.list({ tenant: 'default', limit: 10 }).map(({ title }) => title)).toEqual([
      expect.stringMatching(/offsets 1 to 2 were deleted before they were read/),
    ]);
  });

  it('are waited for where they are not there yet', async () => {
    const topic = uniqueName('later');
    const { reportOf, observations } = open(source('later', [topic], 'native'));
    await eventually('it says so', () => reportOf('later').state === 'failed');
    expect(reportOf('later').lastError?.message).toMatch(topic);
    await kafka.admin.createTopics([{ topic, partitions: 1, replicationFactor: 1, config: {} }]);
    await write(topic, prompt('ann', 'one'));
    await eventually('it is read', () => reportOf('later').records === 1);
    expect(observations('ann')).toHaveLength(1);
    expect(reportOf('later').state).toBe('reading');
  });

  it('are read and shown by the service', async () => {
    const topic = await makeTopic(kafka);
    await write(topic, prompt('ann', 'one'), '{');
    const served = source('served', [topic], 'native', { principal: 'agent-runtime' });
    const setup = prepareService(directory.path, { sources: { kafka: [served] } });
    const service = await ServiceProcess.start(setup);
    try {
      const topics = async () => ((await service.get('/v1/status')) as { topics: TopicSourceReport[] }).topics;
      await eventually('both are read', async () => (await topics())[0]?.records === 2);
      expect(await topics()).toMatchObject([{ id: 'served', accepted: 1, refused: 1, partitions: [{ lag: 0 }] }]);
      const keyFile = join(directory.path, 'keys', 'admin.key');
      const { out, err } = await runParallax(['doctor', 'sources', '--url', service.url, '--key-file', keyFile]);
      expect(err).toBe('');
      expect(out).toContain(`topics of served (${topic}) as native: reading, 2 records`);
      expect(out).toContain('-> 1 refused; the reasons stand at agent-runtime');
    } finally {
      await service.stop();
    }
  });

  it('go into the log of a cluster, each agent’s to its own partition', async () => {
    const topic = await makeTopic(kafka, 2);
    const agents = ['ann', 'bob', 'cid', 'dan'];
    await kafka.produce(
      Array.from({ length: 40 }, (_, i) => {
        const record = prompt(agents[i % 4] ?? '', `text ${i}`, { id: `n${i}` });
        return { topic, partition: Math.floor(i / 4) % 2, value: bytes(record) };
      }),
    );
    const cluster = clusterSchema.parse({
      kafka: { brokers: shared.brokers },
      topicPrefix: uniqueName('cluster'),
      partitions: 3,
      replicationFactor: 1,
      groupId: uniqueName('workers'),
      node: { id: 'node-1', url: 'http://127.0.0.1:1' },
    });
    await initTopics(kafka.admin, cluster);
    const config = topicConfig(directory.path, [source('shared', [topic], 'native')]);
    config.cluster = cluster;
    config.keys = [...TOPIC_KEYS];
    const fail = (error: unknown) => {
      throw error;
    };
    const base = { config, env: {}, clock: systemClock };
    const observer = await openClusterObserver({ ...base, notice: () => {}, failed: fail });
    const logger = createLogger('silent');
    const topics = startTopicIntake({ ...base, keyConfigs: TOPIC_KEYS, observer, logger });
    try {
      const logged = () =>
        observer.hosted().flatMap(({ partition, log }) =>
          log.read(log.tail, 1_000).flatMap((entry) => {
            const record = decodeRecord(entry);
            return record.type === 'observation' ? [{ partition, ...record.value }] : [];
          }),
        );
      await eventually('all are in the log', () => idsOf(logged()).size === 40, 40_000);
      const places = logged().map(({ agentId, partition }) => `${agentId} ${partition}`);
      const own = agents.map((agentId) => `${agentId} ${partitionOf('default', agentId, 3)}`);
      expect(new Set(places)).toEqual(new Set(own));
      expect(topics.report()).toMatchObject([{ state: 'reading', accepted: logged().length, refused: 0 }]);
    } finally {
      await topics.stop();
      await observer.close();
    }
  });

  it.skipIf(!existsSync(READER))('lose and double nothing when the process dies between the two commits', async () => {
    const topic = await makeTopic(kafka);
    const settings = source('calls', [topic], 'native');
    // Two are equal: without ids of their own only their places tell them apart.
    const values = Array.from({ length: 300 }, (_, i) => prompt('ann', `text ${i}`));
    await write(topic, ...values, prompt('ann', 'text 0'));
    const child = spawn(process.execPath, [READER, directory.path, shared.brokers.join(','), topic, settings.groupId], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await eventually('the log has all', () => printed.includes('301\n'));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));

    expect(await kafka.admin.committed(settings.groupId, [topic])).toEqual([]);
    const { core, observations, reportOf } = open(settings);
    await eventually('all are read again', () => reportOf('calls').records === 301, 40_000);
    await core.settled();
    expect(observations()).toHaveLength(602);
    expect(idsOf(observations()).size).toBe(301);
    expect(core.scoring.counters).toMatchObject({ duplicates: 301 });
    await eventually('Kafka knows', async () => {
      const [place] = await kafka.admin.committed(settings.groupId, [topic]);
      return place?.offset === 301;
    });
  });
});
