import { z } from 'zod';
import { acknowledgementSchema, MAX_NAME_CHARS } from '../../model/wire.js';

/** Most confirmations in one answer. */
const MAX_CONFIRMATIONS = 1_000;

const answerSchema = z.object({
  acknowledgements: z
    .array(acknowledgementSchema.extend({ commandId: z.string().min(1).max(MAX_NAME_CHARS) }))
    .max(MAX_CONFIRMATIONS),
});
export type Confirmation = z.infer<typeof answerSchema>['acknowledgements'][number];

/**
 * What a gateway confirms in its answer to a webhook, `{"acknowledgements": [{"commandId", "effective", "detail"?}]}`.
 *
 * @returns undefined where the answer speaks of acknowledgements in a way that is not understood; none where it does not
 */
export function readConfirmations(text: string): Confirmation[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  if (typeof value !== 'object' || value === null || !('acknowledgements' in value)) return [];
  const parsed = answerSchema.safeParse(value);
  return parsed.success ? parsed.data.acknowledgements : undefined;
}
