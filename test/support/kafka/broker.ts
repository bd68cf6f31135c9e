import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KafkaConnection } from '../../../src/kafka/client.js';
import { freePort } from '../free-port.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { JavaProcess } from './java-process.js';
import { kafkaClassPath } from './jars.js';

const run = promisify(execFile);

export interface KafkaOptions {
  /** 1 or 3. */
  brokers?: number;
  /** With listeners that ask for a user: {@link KAFKA_USER} may do everything, {@link KAFKA_STRANGER} nothing. */
  isSecured?: boolean;
  /** More settings of the brokers. */
  settings?: Readonly<Record<string, string>>;
}

export const KAFKA_USER = { name: 'alice', password: 'alice-secret-7' };
export const KAFKA_STRANGER = { name: 'mallory', password: 'mallory-secret-7' };
const STORE_PASSWORD = 'for-tests-only';
/** `kafka-storage random-uuid`; only has to be the same for all. */
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qk';

/** One broker of a cluster. */
export class Broker {
  readonly id: number;
  readonly ports: Readonly<Record<string, number>>;
  readonly directory: string;
  readonly #classPath: string;
  #process: JavaProcess | undefined;

  constructor(id: number, ports: Readonly<Record<string, number>>, directory: string, classPath: string) {
    this.id = id;
    this.ports = ports;
    this.directory = directory;
    this.#classPath = classPath;
  }

  get address(): string {
    return `127.0.0.1:${this.ports['PLAINTEXT']}`;
  }

  get logFile(): string {
    return join(this.directory, 'broker.log');
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Where the broker keeps the records. */
  get dataFolder(): string {
    return join(this.directory, 'data');
  }

  async start(): Promise<void> {
    const args = ['kafka.Kafka', join(this.directory, 'server.properties')];
    this.#process = await JavaProcess.start(this.#classPath, args, this.logFile);
  }

  /** Waits until it answers. */
  async waitUntilUp(limitMs = 60_000): Promise<void> {
    const end = Date.now() + limitMs;
    for (;;) {
      if (this.#process?.hasEnded === true) throw new Error(`the broker ended:\n${this.lastWords()}`);
      const connection = new KafkaConnection({ brokers: [this.address], clientId: 'probe' }, { env: {} });
      try {
        const brokers = await connection.admin.brokers();
        if (brokers.some(({ nodeId }) => nodeId === this.id)) return;
      } catch (error) {
        if (Date.now() > end) throw new Error(`the broker did not come up:\n${this.lastWords()}`, { cause: error });
      } finally {
        await connection.close();
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** In good order: partitions get other leaders first. */
  async stop(): Promise<void> {
    await this.#process?.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#process?.end('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
    await this.waitUntilUp();
  }

  /** Stands still, with its connections open. */
  async freeze(): Promise<void> {
    await this.#process?.signal('SIGSTOP');
  }

  async thaw(): Promise<void> {
    await this.#process?.signal('SIGCONT');
  }

  lastWords(): string {
    return readFileSync(this.logFile, 'utf8').slice(-3_000);
  }
}

/** A cluster of brokers on loopback ports, for one test file. */
export interface KafkaCluster {
  /** `host:port` of every broker, without a user. */
  addresses: string[];
  brokers: Broker[];
  classPath: string;
  /** The same brokers through another listener: `SASL_PLAINTEXT`, `SASL_SSL` or `SSL`. */
  addressesOf(listener: string): string[];
  /** What TLS connections trust. */
  caFile: string;
  stop(): Promise<void>;
}

/** Starts one broker, or three that stand in for each other. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const classPath = await kafkaClassPath();
  const { brokers: count = 1, isSecured = false } = options;
  const root = temporaryDirectory();
  const caFile = join(root.path, 'ca.pem');
  if (isSecured) await makeCertificate(root.path, caFile);
  const listeners = isSecured ? ['PLAINTEXT', 'SASL_PLAINTEXT', 'SASL_SSL', 'SSL'] : ['PLAINTEXT'];
  const ports: Record<string, number>[] = [];
  for (let index = 0; index < count; index += 1) {
    const own: Record<string, number> = {};
    for (const name of [...listeners, 'CONTROLLER']) own[name] = await freePort();
    ports.push(own);
  }
  const brokers = ports.map((own, index) => {
    const directory = join(root.path, `broker-${index + 1}`);
    mkdirSync(directory);
    const voters = ports.map((each, other) => `${other + 1}@127.0.0.1:${each['CONTROLLER']}`).join(',');
    const settings = {
      ...baseSettings(index + 1, count, own, listeners, voters, join(directory, 'data')),
      ...(isSecured ? securitySettings(root.path) : {}),
      ...options.settings,
    };
    const text = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    writeFileSync(join(directory, 'server.properties'), `${text.join('\n')}\n`);
    return new Broker(index + 1, own, directory, classPath);
  });
  const users = isSecured ? scramUsers() : [];
  await Promise.all(
    brokers.map(({ directory }) =>
      run('java', [
        ...`-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp ${classPath} kafka.tools.StorageTool format`.split(' '),
        ...`--cluster-id ${CLUSTER_ID} --config ${join(directory, 'server.properties')}`.split(' '),
        ...users,
      ]),
    ),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(brokers.map((broker) => broker.kill()));
    root.remove();
  };
  try {
    await Promise.all(brokers.map((broker) => broker.start()));
    await Promise.all(brokers.map((broker) => broker.waitUntilUp()));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    addresses: brokers.map(({ address }) => address),
    brokers,
    classPath,
    addressesOf: (listener) => brokers.map((broker) => `127.0.0.1:${broker.ports[listener]}`),
    caFile,
    stop,
  };
}

/** What one of so many brokers is started with, without users. */
export function baseSettings(
  id: number,
  count: number,
  ports: Readonly<Record<string, number>>,
  listeners: readonly string[],
  voters: string,
  dataFolder: string,
): Record<string, string> {
  const copies = String(Math.min(count, 3));
  return {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': voters,
    'controller.listener.names': 'CONTROLLER',
    listeners: [...listeners, 'CONTROLLER'].map((name) => `${name}://127.0.0.1:${ports[name]}`).join(','),
    'advertised.listeners': listeners.map((name) => `${name}://127.0.0.1:${ports[name]}`).join(','),
    'listener.security.protocol.map': ['CONTROLLER:PLAINTEXT', ...listeners.map((name) => `${name}:${name}`)].join(','),
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': dataFolder,
    'auto.create.topics.enable': 'false',
    'default.replication.factor': copies,
    'min.insync.replicas': count > 1 ? '2' : '1',
    'offsets.topic.num.partitions': '2',
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.num.partitions': '2',
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': copies,
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'replica.lag.time.max.ms': '3000',
    'controller.quorum.election.timeout.ms': '500',
    'controller.quorum.fetch.timeout.ms': '1000',
    'num.network.threads': '2',
    'num.io.threads': '2',
    'num.recovery.threads.per.data.dir': '1',
    'background.threads': '2',
    'log.cleaner.dedupe.buffer.size': '4194304',
    'log.index.size.max.bytes': '1048576',
    'controlled.shutdown.retry.backoff.ms': '200',
  };
}

function securitySettings(root: string): Record<string, string> {
  const settings: Record<string, string> = {
    'ssl.keystore.location': join(root, 'broker.p12'),
    'ssl.keystore.type': 'PKCS12',
    'ssl.keystore.password': STORE_PASSWORD,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // Over TLS without a certificate a client is as anonymous as over the plain listener.
    'super.users': `User:ANONYMOUS;User:${KAFKA_USER.name}`,
  };
  const users = [KAFKA_USER, KAFKA_STRANGER].map(({ name, password }) => `user_${name}="${password}"`).join(' ');
  for (const listener of ['sasl_plaintext', 'sasl_ssl']) {
    const prefix = `listener.name.${listener}`;
    settings[`${prefix}.sasl.enabled.mechanisms`] = 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512';
    settings[`${prefix}.plain.sasl.jaas.config`] =
      `org.apache.kafka.common.security.plain.PlainLoginModule required ${users};`;
    for (const mechanism of ['scram-sha-256', 'scram-sha-512']) {
      settings[`${prefix}.${mechanism}.sasl.jaas.config`] =
        'org.apache.kafka.common.security.scram.ScramLoginModule required;';
    }
  }
  return settings;
}

function scramUsers(): string[] {
  return [KAFKA_USER, KAFKA_STRANGER].flatMap(({ name, password }) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=${name},password=${password}]`,
    ]),
  );
}

/** A certificate for 127.0.0.1 that signs itself, in a store for the broker and as text for clients. */
async function makeCertificate(root: string, caFile: string): Promise<void> {
  const store = `-keystore ${join(root, 'broker.p12')} -storetype PKCS12 -storepass ${STORE_PASSWORD}`.split(' ');
  const make =
    '-genkeypair -alias broker -keyalg EC -dname CN=127.0.0.1 -validity 30 -ext san=ip:127.0.0.1,dns:localhost';
  await run('keytool', [...make.split(' '), ...store]);
  await run('keytool', ['-exportcert', '-rfc', '-alias', 'broker', '-file', caFile, ...store]);
}
