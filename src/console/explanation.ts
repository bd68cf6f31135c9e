import { isConfirmed, type Command } from '../model/command.js';
import { isNotice, type Incident } from '../model/incident.js';
import { askedBy, confirmation, count, hasThreshold, line, name, nats, stateOf } from './words.js';
import { isInForce, isWaiting } from './board.js';

/** An incident as a person would tell it to another: a few plain sentences, made of its own figures. */
export function explanation(incident: Incident, commands: readonly Command[]): string[] {
  if (isNotice(incident)) return noticeSentences(incident);
  return [whatHappened(incident), howRare(incident), whoSaw(incident), whatWasDone(incident, commands)].filter(
    (sentence) => sentence !== '',
  );
}

/** Latest lines that are told of a notice. */
const NOTICE_LINES = 3;

/** The title stands right above; the lines are the observer's own. */
function noticeSentences(incident: Incident): string[] {
  const told = incident.timeline.slice(-NOTICE_LINES).map(({ text }) => `${line(text)}.`);
  return incident.status === 'closed' ? [...told, whatWasDone(incident, [])] : told;
}

function whatHappened({ agentId, sessionId, signals, violation, title }: Incident): string {
  const counted = signals.filter((one) => !one.shadow);
  const [best] = [...counted].sort((a, b) => Number(b.violation) - Number(a.violation) || b.nats - a.nats);
  const where = sessionId === undefined ? name(agentId) : `${name(agentId)}, in session ${name(sessionId)},`;
  if (best === undefined) return `${where} behaved unlike its own history.`;
  const what = violation
    ? 'broke a rule that needs no statistics'
    : 'did something that its own history does not explain';
  // The title stands right above.
  if (best.reason === title && best.tool !== undefined) return `${where} ${what}: a call of ${name(best.tool)}.`;
  // Most reasons quote both already.
  const isTold = best.reason.includes(best.observed);
  const against = isTold ? '' : ` Seen: ${name(best.observed)}. Expected: ${name(best.expected)}.`;
  return `${where} ${what}: ${line(best.reason)}.${against}`;
}

function howRare({ riskNats, thresholdNats, budget, calibrationGroups }: Incident): string {
  if (!hasThreshold(thresholdNats)) {
    return 'There is no threshold for this agent yet: too little of its clean history is known, so only broken rules count.';
  }
  const oneIn = count(1 / budget);
  const limit = `About one clean session in ${oneIn} goes beyond ${nats(thresholdNats)} nats`;
  const rests =
    calibrationGroups < 1 / budget
      ? ` (an estimate: only ${count(calibrationGroups)} kinds of request are known)`
      : ` (measured on ${count(calibrationGroups)} kinds of request)`;
  const over = riskNats - thresholdNats;
  if (over <= 0) return `${limit}${rests}; this one reached ${nats(riskNats)}.`;
  return `${limit}${rests}. This one reached ${nats(riskNats)}, which is ${times(Math.exp(over))} less likely still.`;
}

function times(factor: number): string {
  if (factor < 1.5) return 'a little';
  if (factor > 1e6) return 'more than a million times';
  const step = factor < 10 ? 1 : 10 ** Math.floor(Math.log10(factor));
  return `about ${count(Math.round(factor / step) * step)} times`;
}

function whoSaw({ emitters, violation }: Incident): string {
  const names = emitters.slice(0, 4).map(name);
  if (names.length === 0) return '';
  if (names.length === 1) {
    const so = violation ? 'For a broken rule that is enough.' : 'That is too little to act on without a person.';
    return `Only ${names[0] ?? ''} reported it. ${so}`;
  }
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''} reported it independently of each other.`;
}

function whatWasDone({ status, verdict, closedBy }: Incident, commands: readonly Command[]): string {
  if (status === 'closed') return `${name(closedBy ?? 'Somebody')} closed it as ${name(verdict ?? 'closed')}.`;
  const inForce = commands.filter(isInForce);
  const waiting = commands.filter(isWaiting);
  const sentences = inForce.map((command) => {
    const [answer] = isConfirmed(command) ? command.acknowledgements : [];
    return `${askedBy(command)}: ${answer === undefined ? stateOf(command) : confirmation(answer, command)}.`;
  });
  for (const command of waiting) sentences.push(`${askedBy(command)}: waits for your decision.`);
  if (sentences.length > 0) return sentences.slice(0, 3).join(' ');
  return commands.some(({ dryRun }) => dryRun)
    ? 'Nothing was enforced: the observer is in observe mode and only notes what it would have done.'
    : 'Nothing was done about it yet.';
}
