import { z } from 'zod';
import { CONTENT_LEVELS } from './content-level.js';
import { kafkaSchema } from './kafka-settings.js';

/** What a topic's records may be; `otlp_...` are called as the OpenTelemetry Collector's exporter calls them. */
const format = z
  .string()
  .regex(/^(?:native|cloudevents|litellm|otlp_(?:proto|json)\/(?:traces|logs|metrics)|map\/[a-z0-9-]{1,64})$/, {
    message: 'use native, cloudevents, litellm, otlp_proto/traces (or otlp_json, logs, metrics) or map/NAME',
  });

/** One entry of `sources.kafka`: topics of others that hold what happened. */
export const topicSourceSchema = z.strictObject({
  id: z.string().regex(/^[\w.-]{1,64}$/, { message: 'use letters, digits, dots, underscores and dashes' }),
  kafka: kafkaSchema,
  topics: z
    .array(z.string().regex(/^[\w.-]{1,249}$/, { message: 'is no name of a topic' }))
    .min(1)
    .max(100),
  format,
  /** A record may name its own format in a header, out of those listed here. */
  formatHeader: z.strictObject({ name: z.string().min(1).max(256), formats: z.array(format).min(1) }).exactOptional(),
  /** Consumer group; `parallax-source-<id>` when left out. */
  groupId: z.string().min(1).max(200).exactOptional(),
  /** Id of the key whose tenant, agents and streams bind what these topics may say. */
  principal: z.string().min(1).max(64),
  /** What is kept of the records' words, instead of what the key says. */
  contentLevel: z.enum(CONTENT_LEVELS).exactOptional(),
  /** Largest value of a record that is read. */
  maxMessageBytes: z
    .number()
    .int()
    .positive()
    .default(4 * 1024 * 1024),
  /** How far a partition may be read ahead of one that is behind, by the time in their records, ms. */
  maxAheadMs: z.number().int().positive().default(5_000),
});
export type TopicSourceConfig = z.infer<typeof topicSourceSchema>;

/** Consumer group of a source. */
export function groupOf({ id, groupId }: Pick<TopicSourceConfig, 'id' | 'groupId'>): string {
  return groupId ?? `parallax-source-${id}`;
}

/** `sources.kafka`: each with its own id and its own group, since members of one group must read the same topics. */
export const topicSourcesSchema = z
  .array(topicSourceSchema)
  .max(100)
  .refine((all) => new Set(all.map(({ id }) => id)).size === all.length, { message: 'give each its own id' })
  .refine((all) => new Set(all.map(groupOf)).size === all.length, { message: 'give each its own groupId' });
