/** The work did not end in time. */
export class DeadlineError extends Error {
  override name = 'DeadlineError';
}

/**
 * Runs work that can be aborted, for at most `ms`, and leaves no timer behind.
 *
 * Own controller and timer, because on the oldest supported Node a composed `AbortSignal.any([AbortSignal.timeout()])`
 * can be garbage collected before it fires.
 *
 * @param outer aborts the work too
 * @throws DeadlineError after `ms`; otherwise whatever the work throws
 */
export async function withDeadline<T>(
  ms: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const overdue = new DeadlineError(`no answer within ${ms} ms`);
  const timer = setTimeout(() => controller.abort(overdue), ms);
  const onOuter = (): void => controller.abort(outer?.reason);
  if (outer?.aborted === true) onOuter();
  outer?.addEventListener('abort', onOuter);
  try {
    return await work(controller.signal);
  } catch (fault) {
    throw controller.signal.reason === overdue ? overdue : fault;
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', onOuter);
  }
}
