/**
 * How much of what an emitter's records say in words is kept. Names, sizes and keyed hashes are kept at every level, so that
 * joining and scoring are the same.
 *
 * `off`: no content record, and no free text in the observation. `hashed`: keyed hashes in their place, so that equal
 * things can be told to be equal. `redacted`: without secrets, keys, card numbers and mail addresses. `full`: without
 * secrets, keys and card numbers, which are never kept.
 */
export const CONTENT_LEVELS = ['off', 'hashed', 'redacted', 'full'] as const;
export type ContentLevel = (typeof CONTENT_LEVELS)[number];

export const DEFAULT_CONTENT_LEVEL: ContentLevel = 'redacted';
