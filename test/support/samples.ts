import type { Command } from '../../src/model/command.js';
import type { FleetLift } from '../../src/model/fleet-lift.js';
import type { Hold } from '../../src/model/hold.js';
import type { Incident } from '../../src/model/incident.js';
import type { Signal } from '../../src/model/signal.js';

/** A signal with every field filled in; tests change what they are about. */
export function sampleSignal(change: Partial<Signal> = {}): Signal {
  return {
    id: 'sig_1',
    detectorId: 'unusual-tool-for-request',
    tenant: 'default',
    agentId: 'agent-a',
    sessionId: 's1',
    time: 1_000,
    causeId: 'obs_1',
    tool: 'send_money',
    streams: ['action'],
    emitters: ['gateway-1', 'runtime-1'],
    pValue: 0.001,
    sampleSize: 100,
    nats: 6.9,
    ingredient: true,
    violation: false,
    shadow: false,
    observed: 'send_money',
    expected: 'read_mail',
    reason: 'send_money is unusual for this request',
    baselineVersion: 3,
    evidenceIds: ['obs_1'],
    tags: ['ASI01'],
    ...change,
  };
}

/** An open incident with every field filled in. */
export function sampleIncident(change: Partial<Incident> = {}): Incident {
  return {
    id: 'inc_1',
    tenant: 'default',
    agentId: 'agent-a',
    sessionId: 's1',
    openedAt: 1_000,
    updatedAt: 1_000,
    status: 'open',
    severity: 'high',
    title: 'send_money is unusual for this request',
    riskNats: 8,
    thresholdNats: 5,
    budget: 0.01,
    calibrationGroups: 120,
    arithmetic: [{ label: 'most surprising call', nats: 8 }],
    signals: [sampleSignal()],
    timeline: [],
    emitters: ['gateway-1', 'runtime-1'],
    violation: false,
    commandIds: [],
    ...change,
  };
}

/** A command in force, with every field filled in. */
export function sampleCommand(change: Partial<Command> = {}): Command {
  return {
    id: 'cmd_1',
    tenant: 'default',
    action: 'freeze-tool',
    agentId: 'agent-a',
    tool: 'send_money',
    incidentId: 'inc_1',
    reason: 'misused in this session',
    issuedAt: 1_000,
    expiresAt: 3_601_000,
    dryRun: false,
    state: 'sent',
    acknowledgements: [],
    issuedBy: 'policy',
    ...change,
  };
}

export function sampleHold(change: Partial<Hold> = {}): Hold {
  return {
    id: 'hold_1',
    tenant: 'default',
    agentId: 'agent-a',
    sessionId: 's1',
    callId: 'call-1',
    tool: 'send_money',
    effect: 'write',
    summary: 'to=DE10 1111',
    argsHash: 'args_1',
    reason: 'unusual',
    incidentId: 'inc_1',
    commandId: 'cmd_1',
    gatewayId: 'gateway-1',
    heldAt: 1_000,
    expiresAt: 601_000,
    onTimeout: 'deny',
    state: 'waiting',
    changedAt: 1_000,
    ...change,
  };
}

/** A lift of several agents' containments that waits for a second person. */
export function sampleFleetLift(change: Partial<FleetLift> = {}): FleetLift {
  return {
    id: 'lift_1',
    tenant: 'default',
    agentClass: 'support',
    incidentIds: ['inc_1'],
    state: 'proposed',
    commands: 3,
    agents: 2,
    proposedBy: 'responder',
    reason: 'the release was fine',
    proposedAt: 1_000,
    expiresAt: 3_601_000,
    ...change,
  };
}
