/** What a command does, mildest first: the rungs of the response ladder above an alert. */
export const COMMAND_ACTIONS = ['downgrade-posture', 'freeze-tool', 'revoke-session', 'suspend-agent'] as const;
export type CommandAction = (typeof COMMAND_ACTIONS)[number];

/**
 * What a downgraded agent may still do, mildest first. `approval`: whatever is not reading waits for a person;
 * `read-only`: whatever is not reading is refused.
 */
export const LOWERED_POSTURES = ['approval', 'read-only'] as const;
export type LoweredPosture = (typeof LOWERED_POSTURES)[number];

/** How far the response policy may go by itself with a rung of the ladder. */
export const RUNG_MODES = ['off', 'observe', 'propose', 'act'] as const;
export type RungMode = (typeof RUNG_MODES)[number];

/** What becomes of a proposal that nobody decided about in time. None of them loosens anything. */
export const TIMEOUT_ANSWERS = ['expire', 'approve', 'escalate'] as const;
export type TimeoutAnswer = (typeof TIMEOUT_ANSWERS)[number];

/** A command's life. Observe-only installs stop at `proposed` with `dryRun`; `approved` and `sent` are one step. */
export const COMMAND_STATES = [
  'proposed',
  'approved',
  'rejected',
  'sent',
  'acknowledged',
  'enforced',
  'expired',
  'undone',
  'failed',
] as const;
export type CommandState = (typeof COMMAND_STATES)[number];

/**
 * Why policy lets a proposal wait although the evidence would do. `peers`: many agents of its class show the same change
 * of behaviour and a person judges that first; `cap`: so much is contained that a person must approve the rest;
 * `cool-down`: the same was contained too often lately, or a person has just lifted it.
 */
export const COMMAND_WAITS = ['peers', 'cap', 'cool-down'] as const;
export type CommandWait = (typeof COMMAND_WAITS)[number];

/** An order to gateways to tighten (or, undone, to loosen again) what an agent may do. */
export interface Command {
  /** Deterministic and the idempotency key: a gateway that sees it twice acts once. */
  id: string;
  tenant: string;
  action: CommandAction;
  agentId: string;
  /** For `revoke-session`. */
  sessionId?: string;
  /** For `freeze-tool`. */
  tool?: string;
  /** For `downgrade-posture`. */
  posture?: LoweredPosture;
  incidentId?: string;
  reason: string;
  /** When it was proposed or sent; an approval moves it, and the expiry with it, to the moment of sending. Epoch ms. */
  issuedAt: number;
  /** Every containment ends by itself, and so does every proposal; epoch ms. */
  expiresAt: number;
  /** True in observe-only: recorded, shown, never sent. */
  dryRun: boolean;
  state: CommandState;
  /** Per gateway, the effective state it confirmed. */
  acknowledgements: { gatewayId: string; effective: string; time: number }[];
  /** Gateways that must confirm it, because they guard the agent; absent where none is known: then one is enough. */
  awaits?: string[];
  /** How often it was given out, and when last, epoch ms; absent before it is sent. */
  deliveries?: number;
  deliveredAt?: number;
  /** When a call was first seen to be refused because of it, epoch ms. */
  blockedAt?: number;
  /** Gateways that let a call pass although they had confirmed it; one that is seen to refuse is taken off. */
  bypassedBy?: string[];
  issuedBy: string;
  waitsFor?: CommandWait;
  /** How long it restricts once it is approved, ms; as long as the proposal stood where it is absent. */
  containMs?: number;
  /** What becomes of a proposal at its expiry; it expires where this is absent. */
  onTimeout?: TimeoutAnswer;
  /** When it was first sent, epoch ms; absent where it never was. */
  sentAt?: number;
  /** When a person lifted it, epoch ms. */
  liftedAt?: number;
  /** Who approved or rejected it, and why; absent where nobody was asked. */
  decidedBy?: string;
  decisionReason?: string;
}

const IN_FORCE: ReadonlySet<CommandState> = new Set(['sent', 'acknowledged', 'enforced', 'failed']);
const OVER: ReadonlySet<CommandState> = new Set(['rejected', 'expired', 'undone']);

/** Whether gateways must (or may already) restrict because of this command. A dry run never restricts. */
export function isInForce(command: Command): boolean {
  return !command.dryRun && IN_FORCE.has(command.state);
}

/** Whether nothing can follow any more. */
export function isOver(command: Pick<Command, 'state'>): boolean {
  return OVER.has(command.state);
}

/** What gateways say about a command, and what was seen of them. */
type Confirmed = Pick<Command, 'acknowledgements' | 'awaits' | 'bypassedBy'>;

/** Whether a gateway's word that it enforces a command stands: it gave it, and was not seen to break it. */
export function isEnforcedAt({ acknowledgements, bypassedBy = [] }: Confirmed, gatewayId: string): boolean {
  if (bypassedBy.includes(gatewayId)) return false;
  return acknowledgements.some((a) => a.gatewayId === gatewayId && a.effective === 'enforced');
}

/** Gateways that must still confirm that they enforce a command. */
export function missingGateways(command: Confirmed): string[] {
  return (command.awaits ?? []).filter((gatewayId) => !isEnforcedAt(command, gatewayId));
}

/** Whether every gateway that must has confirmed a command; where none must, whether any has. */
export function isConfirmed(command: Confirmed): boolean {
  const { acknowledgements, awaits = [] } = command;
  if (awaits.length > 0) return missingGateways(command).length === 0;
  return acknowledgements.some(({ gatewayId }) => isEnforcedAt(command, gatewayId));
}

/** Gateways that had confirmed a command which is over, and have not confirmed that they lifted it. */
export function stillLifting(command: Confirmed & Pick<Command, 'state'>): string[] {
  if (!isOver(command)) return [];
  return command.acknowledgements.filter((a) => a.effective === 'enforced').map((a) => a.gatewayId);
}

/** Nobody decides about a proposal that they made themselves, or that is about them. */
export function mayDecide(command: Command, by: string): boolean {
  return by !== command.issuedBy && by !== command.agentId;
}

/** One step in a command's life, as stored. */
export interface CommandEvent {
  id: string;
  commandId: string;
  tenant: string;
  agentId: string;
  time: number;
  state: CommandState;
  by: string;
  detail: string;
}

/** One command in force, as gateways hold it. */
export interface RestrictionEntry {
  commandId: string;
  /** Epoch ms. */
  expiresAt: number;
  reason: string;
}

/**
 * What a gateway must enforce for one agent: always the full state, so that a missed change cannot matter. Every
 * command in force has its own entry; where several concern the same call, the strictest counts.
 */
export interface Restriction {
  tenant: string;
  agentId: string;
  /** Rises with every change of this agent's restrictions. */
  version: number;
  revokedSessions: ({ sessionId: string } & RestrictionEntry)[];
  frozenTools: ({ tool: string } & RestrictionEntry)[];
  /** Absent where there is none. */
  downgrades?: ({ posture: LoweredPosture } & RestrictionEntry)[];
  /** Absent where there is none: nothing of the agent passes while there is one. */
  suspensions?: RestrictionEntry[];
}

/** Whether nothing is restricted at all. */
export function isUnrestricted(restriction: Restriction): boolean {
  const { revokedSessions, frozenTools, downgrades = [], suspensions = [] } = restriction;
  return revokedSessions.length + frozenTools.length + downgrades.length + suspensions.length === 0;
}

/** What a restriction in force says about a call: refuse it, or let a person decide. */
export function strengthOf(action: CommandAction, posture?: LoweredPosture): 'hold' | 'deny' {
  return action === 'downgrade-posture' && posture === 'approval' ? 'hold' : 'deny';
}

/** Why a call does not pass, in words for whoever made it: what is restricted, until when, and the command's reason. */
export function explainRestriction(
  { action, posture }: { action: CommandAction; posture?: LoweredPosture },
  { expiresAt, reason }: RestrictionEntry,
): string {
  const until = `until ${new Date(expiresAt).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return `${EXPLANATIONS[posture ?? action]} ${until}: ${reason}`;
}

const EXPLANATIONS: Record<CommandAction | LoweredPosture, string> = {
  'downgrade-posture': 'this agent is restricted',
  approval: 'this agent needs approval for everything but reading',
  'read-only': 'this agent may only read',
  'freeze-tool': 'this tool is frozen for this agent',
  'revoke-session': 'this session is revoked',
  'suspend-agent': 'this agent is suspended',
};
