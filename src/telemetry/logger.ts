import pino from 'pino';

/** The program's own log: JSON lines on standard error, so that standard output stays for results. */
export type Logger = pino.Logger;

/** @param level one of pino's levels, or `silent` */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // Nothing that authenticates anybody may reach a log, whatever object it sits in.
      redact: {
        paths: ['secret', 'password', 'authorization', '*.secret', '*.password', '*.authorization'],
        censor: '[redacted]',
      },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}
