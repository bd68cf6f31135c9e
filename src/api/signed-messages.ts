import type { GatewayMessage } from '../model/gateway-message.js';
import type { Signing } from '../signing/port.js';

/** Messages for one reader, each with its place in the outbox and the compact JWS that is sent. */
export interface SignedMessage {
  type: GatewayMessage['type'] | 'alive';
  sequence: number;
  jws: string;
}

/** Signs messages for one reader, in order. @param audience id of the reader's key */
export async function signMessages(
  messages: readonly GatewayMessage[],
  audience: string,
  { signer }: Signing,
): Promise<SignedMessage[]> {
  const signed: SignedMessage[] = [];
  for (const { type, sequence, data } of messages) {
    signed.push({ type, sequence, jws: await signer.sign({ kind: type, audience, sequence, body: data }) });
  }
  return signed;
}

/** A sign of life: whoever cuts a gateway off from the observer cannot feign that it is still there. */
export async function signAlive(sequence: number, audience: string, { signer }: Signing): Promise<SignedMessage> {
  return { type: 'alive', sequence, jws: await signer.sign({ kind: 'alive', audience, sequence, body: {} }) };
}

/** The place at which a reader may continue. One whose epoch is over gets the full state: a new one begins with it. */
export function resumableFrom(after: number | undefined, audience: string, { epochs }: Signing): number | undefined {
  return after !== undefined && epochs.mayResume(after, audience) ? after : undefined;
}
