import { z } from 'zod';

export const SASL_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
export const KAFKA_COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export const NODE_ROLES = ['worker', 'api'] as const;

const file = z.string().min(1).max(4_096);

/** How to reach Kafka; also used for the topics of users. */
export const kafkaSchema = z.strictObject({
  /** `host:port` of some brokers; the others are learned from them. */
  brokers: z
    .array(z.string().regex(/^(?:[^\s:@/]{1,253}|\[[0-9a-fA-F:]+\]):\d{1,5}$/, { message: 'use host:port' }))
    .min(1)
    .max(100),
  clientId: z.string().min(1).max(200).default('parallax'),
  /** `true`: TLS with the system's authorities. */
  tls: z
    .union([
      z.literal(true),
      z
        .strictObject({ caFile: file.exactOptional(), certFile: file.exactOptional(), keyFile: file.exactOptional() })
        .refine((tls) => (tls.certFile === undefined) === (tls.keyFile === undefined), {
          message: 'give certFile and keyFile together, or none of them',
        }),
    ])
    .exactOptional(),
  sasl: z
    .strictObject({
      mechanism: z.enum(SASL_MECHANISMS),
      username: z.string().min(1).max(256),
      /** Name of the environment variable that holds the password. */
      passwordEnv: z.string().min(1),
    })
    .exactOptional(),
});

const PREFIX = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$/;

/** `cluster`: many nodes over one Kafka, instead of one with a log of its own. */
export const clusterSchema = z.strictObject({
  kafka: kafkaSchema,
  /** Topics are called `<prefix>.observations` and so on. */
  topicPrefix: z
    .string()
    .regex(PREFIX, { message: 'use letters, digits, dots, underscores and dashes' })
    .default('parallax'),
  /** Of the observations. Fixed once there are some: an agent's partition follows from it. */
  partitions: z.number().int().min(1).max(1_000).default(12),
  replicationFactor: z.number().int().min(1).max(10).default(3),
  /** Compression of what is written to Kafka. */
  compression: z.enum(KAFKA_COMPRESSIONS).default('none'),
  /** How long observations stay in Kafka, hours. */
  retentionHours: z.number().int().min(1).default(168),
  /** Consumer group of the workers. */
  groupId: z.string().min(1).max(200).default('parallax-workers'),
  /** What this node does. */
  roles: z.array(z.enum(NODE_ROLES)).min(1).default(['worker', 'api']),
  node: z
    .strictObject({
      /** Name of this node; the host's name when left out. */
      id: z
        .string()
        .regex(/^[\w.-]{1,100}$/)
        .exactOptional(),
      /** Where the other nodes reach this one: `http://worker-1:7700`. */
      url: z.url({ protocol: /^https?$/ }).exactOptional(),
    })
    .prefault({}),
  /**
   * Follow the scoring state of partitions that other nodes own, so that taking one over needs only what is newest. Costs
   * disk, and the traffic of the whole state topic, on each node that does.
   */
  standby: z.boolean().default(false),
  /** How often a partition gives out what it has learned of a class of agents, and takes up what the others have. */
  profiles: z
    .strictObject({
      /** After so many learned sessions of a class. */
      sessions: z.number().int().min(1).max(1_000_000).default(100),
      /** At most once in so long, ms. */
      restMs: z.number().int().min(1_000).max(86_400_000).default(900_000),
    })
    .prefault({}),
  /** Silence after which a worker's partitions go to others, ms. The brokers limit it (6 s to 30 min by default). */
  sessionTimeoutMs: z.number().int().min(2_000).max(1_800_000).default(10_000),
});

export type KafkaConfig = z.infer<typeof kafkaSchema>;
export type ClusterConfig = z.infer<typeof clusterSchema>;
export type KafkaCompression = (typeof KAFKA_COMPRESSIONS)[number];
