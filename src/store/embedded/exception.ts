/** An error as the ClickHouse HTTP interface reports it. */
export class HttpException extends Error {
  override name = 'HttpException';
  constructor(
    readonly status: number,
    /** ClickHouse exception code. */
    readonly code: number,
    /** ClickHouse name of the code. */
    readonly codeName: string,
    message: string,
  ) {
    super(message);
  }

  /** The text that clients parse. */
  body(): string {
    return `Code: ${this.code}. DB::Exception: ${this.message} (${this.codeName})\n`;
  }
}

/** Statuses as in ClickHouse's own `exceptionCodeToHTTPStatus`; everything else is 500. */
const STATUS_BY_CODE = new Map<number, number>([
  ...[6, 25, 26, 27, 33, 36, 38, 41, 42, 43, 46, 47, 53, 62, 69, 70, 72, 115, 117, 130, 349, 456, 457].map(
    (code): [number, number] => [code, 400],
  ),
  [60, 404],
  [81, 404],
  [159, 408],
  [164, 403],
  [497, 403],
  [516, 403],
  [158, 413],
  [396, 413],
]);

const CODE = /^(?:Query failed: )?Code: (\d{1,5})\. DB::Exception: /;
const NAME = /\(([A-Z][A-Z0-9_]{2,80})\)\s*$/;

/** Turns an error of the engine into one with code, name and status. */
export function engineException(error: unknown): HttpException {
  const text = error instanceof Error ? error.message : String(error);
  const bounded = text.slice(0, 16_384).trim();
  const match = CODE.exec(bounded);
  if (match === null) return new HttpException(500, 1002, 'UNKNOWN_EXCEPTION', bounded);
  const code = Number(match[1]);
  const rest = bounded.slice(match[0].length);
  const named = NAME.exec(rest);
  const message = named === null ? rest : rest.slice(0, named.index).trim();
  return new HttpException(STATUS_BY_CODE.get(code) ?? 500, code, named?.[1] ?? 'UNKNOWN_EXCEPTION', message);
}

export const refused = (message: string): HttpException => new HttpException(403, 497, 'ACCESS_DENIED', message);
export const badRequest = (message: string): HttpException => new HttpException(400, 36, 'BAD_ARGUMENTS', message);
export const overloaded = (message: string): HttpException =>
  new HttpException(503, 202, 'TOO_MANY_SIMULTANEOUS_QUERIES', message);
export const tooLarge = (message: string): HttpException => new HttpException(413, 307, 'TOO_MANY_BYTES', message);
export const unauthenticated = (): HttpException =>
  new HttpException(403, 516, 'AUTHENTICATION_FAILED', 'Authentication failed: unknown user or wrong password.');
