/** Bounds of the embedded engine. All of them hold per query or per process, none is unlimited. */
export interface EmbeddedLimits {
  /** Longest time of one statement, seconds. */
  readerSeconds: number;
  writerSeconds: number;
  /** Most memory one statement may take, bytes. */
  readerMemoryBytes: number;
  writerMemoryBytes: number;
  /** Largest result a reader may ask for. */
  readerResultRows: number;
  readerResultBytes: number;
  /** Most rows a reader's statement may look at. */
  readerScanRows: number;
  /** Connections for readers; each runs one statement at a time. */
  readerLanes: number;
  /** Statements that may wait per lane; beyond it the answer is 503. */
  maxQueued: number;
  /** Largest request body, after decompression. */
  maxBodyBytes: number;
  /** Bodies held in memory at once, all requests together; beyond it the answer is 503. */
  maxHeldBytes: number;
  /** Threads of one statement. */
  threads: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_LIMITS: EmbeddedLimits = {
  readerSeconds: 30,
  writerSeconds: 300,
  readerMemoryBytes: 512 * MIB,
  writerMemoryBytes: 1024 * MIB,
  readerResultRows: 100_000,
  readerResultBytes: 64 * MIB,
  readerScanRows: 2_000_000_000,
  readerLanes: 2,
  maxQueued: 32,
  maxBodyBytes: 64 * MIB,
  maxHeldBytes: 256 * MIB,
  threads: 2,
};

/** Engine arguments that both users share; every setting that matters is explicit, because defaults move. */
const COMMON = [
  '--async_insert=0',
  '--output_format_json_quote_64bit_integers=1',
  '--output_format_json_quote_denormals=1',
  '--session_timezone=UTC',
  '--allow_experimental_ai_functions=0',
  '--allow_introspection_functions=0',
];

/** Arguments of the writing connection, in the engine's command line form. */
export function writerArguments(limits: EmbeddedLimits): string[] {
  return [
    ...COMMON,
    '--insert_deduplicate=1',
    '--max_insert_threads=1',
    `--max_threads=${limits.threads}`,
    `--max_execution_time=${limits.writerSeconds}`,
    `--max_memory_usage=${limits.writerMemoryBytes}`,
  ];
}

/** Arguments of a reading connection. `readonly=1` cannot be lifted by a statement. */
export function readerArguments(limits: EmbeddedLimits): string[] {
  return [
    ...COMMON,
    `--max_threads=${limits.threads}`,
    `--max_execution_time=${limits.readerSeconds}`,
    '--timeout_overflow_mode=throw',
    `--max_memory_usage=${limits.readerMemoryBytes}`,
    `--max_result_rows=${limits.readerResultRows}`,
    `--max_result_bytes=${limits.readerResultBytes}`,
    '--result_overflow_mode=throw',
    `--max_rows_to_read=${limits.readerScanRows}`,
    '--readonly=1',
  ];
}
