import { z } from 'zod';
import { SEVERITIES } from '../model/incident.js';
import { COMMAND_ACTIONS, COMMAND_STATES } from '../model/command.js';
import type { ObserverClient } from '../sources/port.js';

const incidentSchema = z.object({
  id: z.string(),
  agentId: z.string(),
  sessionId: z.string().exactOptional(),
  openedAt: z.number(),
  status: z.string(),
  severity: z.enum(SEVERITIES),
  title: z.string(),
  riskNats: z.number(),
  thresholdNats: z.number(),
  violation: z.boolean(),
  emitters: z.array(z.string()),
  arithmetic: z.array(z.object({ label: z.string(), nats: z.number() })),
  signals: z.array(
    z.object({
      detectorId: z.string(),
      reason: z.string(),
      observed: z.string(),
      expected: z.string(),
      nats: z.number(),
      violation: z.boolean(),
      shadow: z.boolean(),
      tool: z.string().exactOptional(),
    }),
  ),
  commandIds: z.array(z.string()),
  fleet: z
    .object({ agentClass: z.string(), nature: z.string(), agents: z.number(), peers: z.number() })
    .exactOptional(),
  gatheredBy: z.string().exactOptional(),
});
/** An incident as the observer's API shows it, as far as the demo tells of it. */
export type SeenIncident = z.infer<typeof incidentSchema>;

const commandSchema = z.object({
  id: z.string(),
  action: z.enum(COMMAND_ACTIONS),
  agentId: z.string(),
  sessionId: z.string().exactOptional(),
  tool: z.string().exactOptional(),
  incidentId: z.string().exactOptional(),
  reason: z.string(),
  issuedAt: z.number(),
  dryRun: z.boolean(),
  state: z.enum(COMMAND_STATES),
  acknowledgements: z.array(z.object({ gatewayId: z.string(), effective: z.string(), time: z.number() })),
});
/** A command as the observer's API shows it. */
export type SeenCommand = z.infer<typeof commandSchema>;

const LIMIT = 1_000;

/** Reads incidents and commands from the observer's API, as any user would. */
export class ObserverView {
  readonly #client: ObserverClient;
  readonly #key: string;

  constructor(client: ObserverClient, key: string) {
    this.#client = client;
    this.#key = key;
  }

  async incidents(): Promise<SeenIncident[]> {
    const answer = await this.#client.read(`/v1/incidents?limit=${LIMIT}`, this.#key);
    return z.object({ incidents: z.array(incidentSchema) }).parse(answer).incidents;
  }

  async commands(): Promise<SeenCommand[]> {
    const answer = await this.#client.read(`/v1/commands?limit=${LIMIT}`, this.#key);
    return z.object({ commands: z.array(commandSchema) }).parse(answer).commands;
  }
}
