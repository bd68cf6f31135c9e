import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { Kafka as KafkaJs, KafkaConfig as KafkaJsConfig, SASLOptions } from 'kafkajs';
import type { KafkaConfig } from '../model/kafka-settings.js';
import { KafkaError } from './kafka-errors.js';
import { Kafka, logLevel } from './kafkajs-mended.js';

/** Where the client's own messages go. */
export type KafkaLog = (level: 'error' | 'warn' | 'info' | 'debug', message: string, fields: object) => void;

/** How the library tries again inside one request: briefly, because the parts that use it try again for longer. */
export const RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, factor: 0.2, multiplier: 2, retries: 4 };
/** Answer to one request, ms. */
const REQUEST_TIMEOUT_MS = 30_000;
const CONNECTION_TIMEOUT_MS = 5_000;

/**
 * Makes a connection from the settings; nothing is connected yet.
 *
 * @param env where the password is; usually `process.env`
 * @throws KafkaError with code `KAFKA_REFUSED`, naming the variable or file that is missing
 */
export function connectKafka(config: KafkaConfig, env: NodeJS.ProcessEnv, log: KafkaLog = () => {}): KafkaJs {
  const options: KafkaJsConfig = {
    brokers: config.brokers,
    clientId: config.clientId,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    authenticationTimeout: REQUEST_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: RETRY,
    logLevel: logLevel.INFO,
    logCreator: () => {
      return ({ level, log: entry }) => {
        const { message, timestamp: _, logger: _name, stack: _stack, ...fields } = entry;
        log(isRebalance(fields) ? 'debug' : (LEVELS.get(level) ?? 'debug'), `kafka: ${message}`, fields);
      };
    },
  };
  if (config.tls !== undefined) options.ssl = config.tls === true ? true : tlsOptions(config.tls);
  if (config.sasl !== undefined) options.sasl = saslOptions(config.sasl, env);
  return new Kafka(options);
}

/** The library's wording is alarming about what is mended by itself a moment later: one level down. */
const LEVELS = new Map<number, 'error' | 'warn' | 'info' | 'debug'>([
  [logLevel.ERROR, 'warn'],
  [logLevel.WARN, 'info'],
  [logLevel.INFO, 'debug'],
  [logLevel.DEBUG, 'debug'],
]);

/** That a group gains or loses a member is no fault; the library tells it for every heartbeat in between. */
function isRebalance(fields: Readonly<Record<string, unknown>>): boolean {
  return typeof fields['error'] === 'string' && fields['error'].includes('rebalancing');
}

function tlsOptions(tls: Exclude<KafkaConfig['tls'], true | undefined>): ConnectionOptions {
  const options: ConnectionOptions = {};
  if (tls.caFile !== undefined) options.ca = readPem(tls.caFile, 'caFile');
  if (tls.certFile !== undefined) options.cert = readPem(tls.certFile, 'certFile');
  if (tls.keyFile !== undefined) options.key = readPem(tls.keyFile, 'keyFile');
  return options;
}

function readPem(file: string, setting: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'error';
    throw new KafkaError('KAFKA_REFUSED', `kafka.tls.${setting}: ${file} cannot be read (${code})`, { cause });
  }
}

function saslOptions(sasl: NonNullable<KafkaConfig['sasl']>, env: NodeJS.ProcessEnv): SASLOptions {
  const password = env[sasl.passwordEnv];
  if (password === undefined || password === '') {
    throw new KafkaError(
      'KAFKA_REFUSED',
      `kafka.sasl.passwordEnv: ${sasl.passwordEnv} is not set; it holds the password`,
    );
  }
  return { mechanism: sasl.mechanism, username: sasl.username, password };
}
