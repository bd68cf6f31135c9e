import { z } from 'zod';

/** Entries of one list; a library is written by people. */
export const MAX_ENTRIES = 2_000;

/** An id or name, or the beginning of one followed by `*`. */
export const namePattern = z
  .string()
  .min(1)
  .max(256)
  .refine((value) => !value.slice(0, -1).includes('*'), {
    message: 'has a "*" that is not at its end; only a trailing "*" is a wildcard',
  });
export const namePatterns = z.array(namePattern).max(MAX_ENTRIES);
