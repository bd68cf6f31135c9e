/** More work than can be taken now; the caller should come back later. */
export class OverloadError extends Error {
  override name = 'OverloadError';

  /**
   * @param status HTTP meaning: 429 this caller sends too much, 503 the service cannot take anything now
   * @param retryAfterSeconds when to come back
   */
  constructor(
    message: string,
    readonly status: 429 | 503,
    readonly retryAfterSeconds: number,
  ) {
    super(message);
  }
}
