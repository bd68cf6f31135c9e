import { z } from 'zod';
import { didYouMean } from '../../lib/nearest-name.js';
import { STREAMS } from '../../model/observation.js';
import { wireFields, type WireField } from '../../model/wire.js';
import { compileExpression, ExpressionError, MAX_EXPRESSION_CHARS, type Expression } from './expression.js';

const MAX_OBSERVATIONS = 16;
const MAX_FIELDS = 64;
/** Fields of which parts may be given one by one, as `args.city` and `values.costUsd`. */
const IN_PARTS = new Set(['args', 'values']);

const expressionSchema = z
  .string()
  .min(1)
  .max(MAX_EXPRESSION_CHARS)
  .transform((source, context): Expression => {
    try {
      return compileExpression(source);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      for (const problem of error.problems) context.addIssue(problem);
      return z.NEVER;
    }
  });

const observationSchema = z
  .strictObject({
    /** Left out of what the record says where this does not hold. */
    when: expressionSchema.exactOptional(),
    stream: z.enum(STREAMS),
    kind: z.string().min(1).max(64),
    /** Field of the native wire format -> what it is worth for a record. */
    fields: z.record(z.string().max(256), expressionSchema),
    /** Field -> a value that is the same for every record. */
    constants: z.record(z.string().max(256), z.unknown()).default({}),
  })
  .superRefine((observation, context) => {
    const { stream, kind, fields, constants } = observation;
    const known = wireFields(stream, kind);
    if (known === undefined) {
      context.addIssue({ code: 'custom', path: ['kind'], message: `there is no kind "${kind}" on stream ${stream}` });
      return;
    }
    for (const [part, names] of [
      ['fields', Object.keys(fields)],
      ['constants', Object.keys(constants)],
    ] as const) {
      if (names.length > MAX_FIELDS) {
        context.addIssue({ code: 'custom', path: [part], message: `has more than ${MAX_FIELDS} fields` });
      }
      for (const name of names) {
        const problem = problemOf(name, known, part === 'constants' ? { constant: constants[name] } : undefined);
        if (problem !== undefined) context.addIssue({ code: 'custom', path: [part, name], message: problem });
      }
    }
    for (const name of Object.keys(constants)) {
      if (!Object.hasOwn(fields, name)) continue;
      context.addIssue({ code: 'custom', path: ['constants', name], message: 'stands in fields too; leave one out' });
    }
    const given = new Set([...Object.keys(fields), ...Object.keys(constants)].map(topOf));
    for (const [name, { isRequired }] of known) {
      if (!isRequired || given.has(name)) continue;
      context.addIssue({
        code: 'custom',
        path: ['fields'],
        message: `lacks "${name}", which every ${kind} must have; add it, for example ${name}: record.${name}`,
      });
    }
  });

/** One mapping, as its file holds it: from a record of any form to observations. */
export const mappingSchema = z.strictObject({
  description: z.string().max(4_000).exactOptional(),
  /** Records for which this does not hold say nothing. */
  match: expressionSchema.exactOptional(),
  observations: z.array(observationSchema).min(1).max(MAX_OBSERVATIONS),
});
export type MappingDefinition = z.infer<typeof mappingSchema>;
export type MappedObservation = MappingDefinition['observations'][number];

/** The field that a name belongs to: `args` of `args.city`. */
export function topOf(name: string): string {
  const dot = name.indexOf('.');
  const top = dot < 0 ? name : name.slice(0, dot);
  return IN_PARTS.has(top) ? top : name;
}

function problemOf(
  name: string,
  known: ReadonlyMap<string, WireField>,
  given?: { constant: unknown },
): string | undefined {
  const top = topOf(name);
  const field = known.get(top);
  if (field === undefined) return `is no field of this kind${didYouMean(name, known.keys()) || listOf(known)}`;
  if (
    given === undefined ||
    field.accepts(top === name ? given.constant : { [name.slice(top.length + 1)]: given.constant })
  ) {
    return undefined;
  }
  return 'has a value that this field cannot have; see GET /v1/schema/observation';
}

function listOf(known: ReadonlyMap<string, WireField>): string {
  return `; there are ${[...known.keys()].join(', ')}`;
}
