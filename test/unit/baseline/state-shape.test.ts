import { expect, it } from 'vitest';
import { STATE_FORMAT } from '../../../src/baseline/packed-state.js';
import { decodeState } from '../../../src/lib/state-table.js';
import { live, office, ordinary } from '../../support/office.js';

it('gives archived states the format that goes with their shape', () => {
  const { registry } = office();
  for (let n = 0; n < 30; n++) live(registry, ordinary(n));
  registry.calibrate('t', 1);
  registry.published.publish('t', 'agent-a', 1);
  const shapes = [...registry.published.keptFrom(0)].map((place) => {
    const bytes = registry.published.keptBytes(place);
    return bytes === undefined ? undefined : shapeOf(decodeState(bytes));
  });
  // Where this differs, old archives cannot be read any more: raise STATE_FORMAT with it.
  expect({ format: STATE_FORMAT, tenant: shapes.at(-2), agent: shapes.at(-1) }).toMatchInlineSnapshot(`
    {
      "agent": {
        "baseline": {
          "callRates": {
            "followed": "number",
            "followedAt": "number",
            "recent": [],
            "reference": [],
            "season": {
              "cells": "Float32Array",
              "firstWeek": "number",
            },
          },
          "changes": "number",
          "counts": {
            "argWords": {
              "counts": "Uint32Array",
              "keys": "Uint32Array",
            },
            "distinctByKind": {
              "counts": "Uint32Array",
              "keys": "Uint32Array",
            },
            "leaving": {
              "counts": "Uint32Array",
              "keys": "Uint32Array",
            },
            "origins": {
              "counts": "Uint32Array",
              "keys": "Uint32Array",
            },
            "singlesByKind": {
              "counts": "Uint32Array",
              "keys": "Uint32Array",
            },
            "sources": {
              "counts": "Uint32Array",
              "keys": "Uint32Array",
            },
            "tools": {
              "counts": "Uint32Array",
              "keys": "Uint32Array",
            },
            "transitions": {
              "counts": "Uint32Array",
              "keys": "Uint32Array",
            },
            "values": {
              "counts": "Uint32Array",
              "keys": "Uint32Array",
            },
            "valuesByKind": {
              "counts": "Uint32Array",
              "keys": "Uint32Array",
            },
          },
          "known": [
            {
              "tool": "number",
              "words": [
                "number",
              ],
              "write": "boolean",
            },
          ],
          "names": [
            [
              "number",
              {
                "name": "string",
                "sessions": "number",
              },
            ],
          ],
          "requests": [
            {
              "counts": {
                "counts": "Uint32Array",
                "keys": "Uint32Array",
              },
              "key": "number",
              "learnedAt": "number",
              "readTargets": "number",
              "sessions": "number",
              "words": "Uint32Array",
              "writeTargets": "number",
            },
          ],
          "sessions": "number",
          "version": "number",
        },
        "habits": {
          "calls": "number",
          "drift": {
            "capital": "Float64Array",
            "followed": "Float64Array",
          },
          "reasoned": "number",
          "recent": {
            "cells": "Uint16Array",
            "count": "number",
            "next": "number",
          },
          "reference": {
            "cells": "Uint16Array",
            "count": "number",
            "next": "number",
          },
          "referenceMade": "boolean",
          "referenceSince": "number",
          "sessions": "number",
          "toolCalls": {
            "map": [
              "number",
              "number",
            ],
          },
          "toolSessions": "number",
          "tools": {
            "map": [
              "number",
              "number",
            ],
          },
        },
      },
      "format": 1,
      "tenant": {
        "calibration": {
          "groups": "number",
          "learnedSessions": "number",
          "levels": {
            "map": [
              "string",
              "number",
            ],
          },
          "strongestBudget": "number",
          "tails": {
            "map": [
              "number",
              "number",
            ],
          },
          "unknownLevel": "number",
        },
        "pooledSessions": "number",
        "pools": [
          [
            "string",
            {
              "callRates": {
                "followed": "number",
                "followedAt": "number",
                "recent": [],
                "reference": [],
                "season": {
                  "cells": "Float32Array",
                  "firstWeek": "number",
                },
              },
              "changes": "number",
              "counts": {
                "argWords": {
                  "counts": "Uint32Array",
                  "keys": "Uint32Array",
                },
                "distinctByKind": {
                  "counts": "Uint32Array",
                  "keys": "Uint32Array",
                },
                "leaving": {
                  "counts": "Uint32Array",
                  "keys": "Uint32Array",
                },
                "origins": {
                  "counts": "Uint32Array",
                  "keys": "Uint32Array",
                },
                "singlesByKind": {
                  "counts": "Uint32Array",
                  "keys": "Uint32Array",
                },
                "sources": {
                  "counts": "Uint32Array",
                  "keys": "Uint32Array",
                },
                "tools": {
                  "counts": "Uint32Array",
                  "keys": "Uint32Array",
                },
                "transitions": {
                  "counts": "Uint32Array",
                  "keys": "Uint32Array",
                },
                "values": {
                  "counts": "Uint32Array",
                  "keys": "Uint32Array",
                },
                "valuesByKind": {
                  "counts": "Uint32Array",
                  "keys": "Uint32Array",
                },
              },
              "known": [
                {
                  "tool": "number",
                  "words": [
                    "number",
                  ],
                  "write": "boolean",
                },
              ],
              "names": [
                [
                  "number",
                  {
                    "name": "string",
                    "sessions": "number",
                  },
                ],
              ],
              "requests": [
                {
                  "counts": {
                    "counts": "Uint32Array",
                    "keys": "Uint32Array",
                  },
                  "key": "number",
                  "learnedAt": "number",
                  "readTargets": "number",
                  "sessions": "number",
                  "words": "Uint32Array",
                  "writeTargets": "number",
                },
              ],
              "sessions": "number",
              "version": "number",
            },
          ],
        ],
      },
    }
  `);
});

/** Names and kinds of what is in a value, without the values. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) {
    const shapes = new Map(value.map((item) => [JSON.stringify(shapeOf(item)), shapeOf(item)]));
    return [...shapes.values()];
  }
  if (value instanceof Map) {
    const [first] = value as Map<unknown, unknown>;
    return { map: first?.map(shapeOf) };
  }
  if (ArrayBuffer.isView(value)) return value.constructor.name;
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shapeOf(inner)]));
}
