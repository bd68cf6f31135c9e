/** The three signals of OTLP, as they stand in its paths: `/v1/traces`. */
export const OTLP_SIGNALS = ['traces', 'logs', 'metrics'] as const;
export type OtlpSignal = (typeof OTLP_SIGNALS)[number];

/** An attribute's value: text, number, boolean, list or mapping; bytes come as base64 text, an empty value as null. */
export type OtlpValue = string | number | boolean | null | OtlpValue[] | { [key: string]: OtlpValue };
export type Attributes = ReadonlyMap<string, OtlpValue>;

/** What every record has from around it. */
interface Placed {
  resource: Attributes;
  scope: string;
}

export interface OtlpSpan extends Placed {
  signal: 'traces';
  /** Lower-case hex, 32 digits. */
  traceId: string;
  /** Lower-case hex, 16 digits. */
  spanId: string;
  /** Empty for a root. */
  parentSpanId: string;
  name: string;
  /** Epoch ms. */
  startMs: number;
  endMs: number;
  attributes: Attributes;
  events: { name: string; timeMs: number; attributes: Attributes }[];
  /** 0 unset, 1 ok, 2 error. */
  statusCode: number;
  statusMessage: string;
}

export interface OtlpLog extends Placed {
  signal: 'logs';
  /** Epoch ms; when it was observed where the record has no time of its own. */
  timeMs: number;
  eventName: string;
  severityText: string;
  body: OtlpValue;
  attributes: Attributes;
  /** Empty where the record stands in no trace. */
  traceId: string;
  spanId: string;
  /** Place among the equal records of its request: with the content it makes an id for what has none. */
  ordinal: number;
}

/** One data point of a metric. */
export interface OtlpPoint extends Placed {
  signal: 'metrics';
  name: string;
  unit: string;
  kind: 'gauge' | 'sum' | 'histogram' | 'summary';
  /** Sums and histograms: the value since the last report, not since the start. */
  isDelta: boolean;
  isMonotonic: boolean;
  startMs: number;
  timeMs: number;
  /** Of a gauge or sum. */
  value: number;
  /** Of a histogram or summary: how many, and their sum. */
  count: number;
  sum: number;
  attributes: Attributes;
}

export type OtlpRecord = OtlpSpan | OtlpLog | OtlpPoint;
