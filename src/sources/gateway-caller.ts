import { ReplayError, isRecord } from './observer-client.js';

/** What the reference gateway did with one call, as far as a replay needs it. */
export interface CallResult {
  executed: boolean;
  refusedBy: string | undefined;
  reason: string;
  /** Where the kit's decision came from; undefined where it was not asked. */
  source: string | undefined;
  /** What it decided: `allow`, `hold` or `deny`. */
  decision: string | undefined;
  restriction: string | undefined;
  wouldBe: string | undefined;
  incidentId: string | undefined;
  timedOut: boolean;
  /** Time of the kit's decision, ms. */
  latencyMs: number | undefined;
}

/** Makes one call at the reference gateway. @throws ReplayError when the gateway does not take it */
export async function callGateway(
  { url, key, fetch }: { url: string; key: string; fetch: typeof globalThis.fetch },
  call: Record<string, unknown>,
): Promise<CallResult> {
  let text: string;
  let status: number;
  try {
    const response = await fetch(`${url}/call`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(call),
      redirect: 'error',
    });
    status = response.status;
    text = await response.text();
  } catch (fault) {
    throw new ReplayError(`the gateway at ${url} does not answer`, { cause: fault });
  }
  if (status !== 200) throw new ReplayError(`the gateway at ${url} answered ${status}: ${text.slice(0, 300)}`);
  const answer: unknown = JSON.parse(text);
  if (!isRecord(answer)) throw new ReplayError(`the gateway at ${url} gave an answer that cannot be read`);
  const check = isRecord(answer['check']) ? answer['check'] : {};
  return {
    executed: answer['executed'] === true,
    refusedBy: textOf(answer['refusedBy']),
    reason: textOf(answer['reason']) ?? '',
    source: textOf(check['source']),
    decision: textOf(check['decision']),
    restriction: textOf(check['restriction']),
    wouldBe: textOf(check['wouldBe']),
    incidentId: textOf(check['incidentId']),
    timedOut: check['timedOut'] === true,
    latencyMs: typeof check['latencyMs'] === 'number' ? check['latencyMs'] : undefined,
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
