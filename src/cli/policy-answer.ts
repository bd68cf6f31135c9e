import { z } from 'zod';
import { COMMAND_ACTIONS, COMMAND_WAITS, LOWERED_POSTURES, TIMEOUT_ANSWERS } from '../model/command.js';
import { responseCaseSchema } from '../respond/response-case.js';

/** What the observer answers to `GET /v1/incidents/:id/response`. */
export const responseSchema = z.object({
  case: responseCaseSchema,
  ladder: z.array(
    z.object({
      rung: z.enum(['alert', ...COMMAND_ACTIONS]),
      outcome: z.enum(['tell', 'send', 'propose', 'dry-run', 'none']),
      why: z.string(),
      held: z.string().exactOptional(),
      waitsFor: z.enum(COMMAND_WAITS).exactOptional(),
      tool: z.string().exactOptional(),
      posture: z.enum(LOWERED_POSTURES).exactOptional(),
      containMs: z.number().exactOptional(),
      proposalMs: z.number().exactOptional(),
      onTimeout: z.enum(TIMEOUT_ANSWERS).exactOptional(),
    }),
  ),
});
export type SeenResponse = z.infer<typeof responseSchema>;
