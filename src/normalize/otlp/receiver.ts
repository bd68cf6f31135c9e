import type { OtlpEncoding, OtlpReceiver, OtlpSignal } from '../../api/port.js';
import type { Principal } from '../../model/principal.js';
import { errorAnswer, exportAnswer } from './answer.js';
import { decodeJson, decodeProtobuf, OtlpError, type OtlpBatch, type OtlpLimits } from './decode.js';
import type { OtlpIntake } from './otlp-intake.js';

/** Brackets in a JSON body: a small one may not ask for a large number of objects. */
const MAX_CONTAINERS = 4_000_000;
const MAX_JSON_DEPTH = 96;

/** OTLP exports from bytes to the log, and the answers to them. */
export function otlpReceiver(intake: OtlpIntake, limits: OtlpLimits): OtlpReceiver {
  return {
    receive: async ({ signal, encoding, body }, principal: Principal) => {
      const batch = readExport(signal, encoding, body, limits);
      const refused = await intake.accept(batch, principal);
      const [first] = refused;
      const message =
        first === undefined
          ? ''
          : `record ${first.index}: ${first.field === '' ? '' : `${first.field} `}${first.reason}`;
      return exportAnswer(signal, encoding, { rejected: refused.length, message });
    },
    errorBody: errorAnswer,
  };
}

/** What an export holds. @throws OtlpError */
export function readExport(signal: OtlpSignal, encoding: OtlpEncoding, body: Buffer, limits: OtlpLimits): OtlpBatch {
  if (encoding === 'protobuf') return decodeProtobuf(signal, body, limits);
  checkShape(body);
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    throw new OtlpError('malformed', 'the body is not valid JSON; check quotes, commas and brackets');
  }
  return decodeJson(signal, value, limits);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Counts brackets outside of texts before anything is parsed. @throws OtlpError */
function checkShape(body: Buffer): void {
  let [depth, containers, inText] = [0, 0, false];
  for (let i = 0; i < body.length; i++) {
    const byte = body[i] ?? 0;
    if (inText) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inText = false;
    } else if (byte === QUOTE) inText = true;
    else if (byte === 0x7b || byte === 0x5b) {
      containers++;
      if (++depth > MAX_JSON_DEPTH)
        throw new OtlpError('malformed', `the body is nested deeper than ${MAX_JSON_DEPTH} levels`);
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  if (containers > MAX_CONTAINERS) throw new OtlpError('too-many-records', 'the body holds too many objects and lists');
}
