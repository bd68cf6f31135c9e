import { z } from 'zod';
import { SEVERITIES } from './incident.js';

/** A bare address: a name beside it, or a second address, would be more than a header may hold. */
const address = z
  .string()
  .max(254)
  .regex(/^[^\s<>@",;:()\\]+@[^\s<>@",;:()\\]+$/, { message: 'use one plain address, for example ops@example.com' });

/** `notify.mail`. */
export const mailSchema = z
  .strictObject({
    host: z.string().min(1).max(253),
    /** 465 where `secure`, 587 otherwise. */
    port: z.number().int().min(1).max(65535).exactOptional(),
    /** TLS from the first byte; without it the connection is upgraded where the server can. */
    secure: z.boolean().default(false),
    user: z.string().min(1).exactOptional(),
    passwordEnv: z.string().min(1).exactOptional(),
    passwordFile: z.string().min(1).exactOptional(),
    from: address,
    to: z.array(address).min(1).max(50),
    /** Incidents below it are not mailed. */
    minSeverity: z.enum(SEVERITIES).default('medium'),
    /** One of them is kept for the summary of what was left out. */
    maxPerHour: z.number().int().min(2).max(1_000).default(20),
    /** Where people find the observer; messages then carry a link to the incident. */
    baseUrl: z
      .url({ protocol: /^https?$/ })
      .refine((url) => !url.includes('@'), { message: 'leave user and password out; it is part of every message' })
      .exactOptional(),
  })
  .refine(
    (m) => [m.passwordEnv, m.passwordFile].filter((s) => s !== undefined).length === Number(m.user !== undefined),
    {
      message: 'give user together with exactly one of passwordEnv, passwordFile, or none of them',
    },
  );

export type MailConfig = z.infer<typeof mailSchema>;
