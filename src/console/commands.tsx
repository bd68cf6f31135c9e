import type { PageRequest } from '../api/port.js';
import { isConfirmed, stillLifting, type Command } from '../model/command.js';
import { isInForce, isWaiting } from './board.js';
import { Ago, Until } from './parts.js';
import { askedBy, confirmation, line, name, stateOf } from './words.js';

const MAX_ANSWERS = 6;

/** One command: what it asks for, where it stands, what each gateway says, and what a person may do about it. */
export function CommandCard({ command, may, at }: { command: Command; may: PageRequest['may']; at: string }) {
  const { id, agentId, incidentId, acknowledgements, expiresAt, issuedAt, issuedBy, reason } = command;
  const isOpen = isInForce(command) || isWaiting(command);
  const kind = isWaiting(command) ? 'waiting' : isInForce(command) ? 'in-force' : 'over';
  return (
    <li class={`command ${kind}`} id={`${at}-${id}`} data-command={id}>
      <p class="what">
        <strong>{askedBy(command)}</strong>
        {at === 'all' ? <span class="agent">{name(agentId)}</span> : ''}
      </p>
      <p class={`state ${isSettled(command) ? '' : 'unconfirmed'}`}>{stateOf(command)}</p>
      {acknowledgements.slice(0, MAX_ANSWERS).map((answer) => (
        <p class={`answer ${answer.effective}`}>
          {confirmation(answer, command)} <Ago time={answer.time} />
        </p>
      ))}
      <p class="meta">
        {issuedBy === 'policy' ? 'by the response policy' : `by ${name(issuedBy)}`} <Ago time={issuedAt} />
        {isOpen ? (
          <>
            , ends by itself <Until time={expiresAt} />
          </>
        ) : (
          ''
        )}
      </p>
      {at === 'all' || incidentId === undefined ? <p class="reason">{line(reason)}</p> : ''}
      {may.contain && isInForce(command) ? (
        <Act
          path={`/v1/commands/${encodeURIComponent(id)}/lift`}
          id={`${at}-lift-${id}`}
          verb="Lift"
          offersFalsePositive={incidentId !== undefined}
        />
      ) : (
        ''
      )}
      {may.contain && isWaiting(command) ? (
        <div class="acts">
          <Act path={`/v1/commands/${encodeURIComponent(id)}/approve`} id={`${at}-approve-${id}`} verb="Approve" />
          <Act path={`/v1/commands/${encodeURIComponent(id)}/reject`} id={`${at}-reject-${id}`} verb="Reject" />
        </div>
      ) : (
        ''
      )}
    </li>
  );
}

/** Whether nothing about it is still open: neither that it holds nor that it was lifted. */
function isSettled(command: Command): boolean {
  return isInForce(command) ? isConfirmed(command) && command.state !== 'failed' : stillLifting(command).length === 0;
}

interface ActProps {
  path: string;
  id: string;
  verb: string;
  /** There is an incident behind it that may be closed in the same step. */
  offersFalsePositive?: boolean;
}

/** A button that first asks why: nothing happens by one slip of the hand. */
export function Act({ path, id, verb, offersFalsePositive = false }: ActProps) {
  return (
    <details class="act" id={id}>
      <summary>{verb}</summary>
      <form data-post={path}>
        <label>
          Why? <input name="reason" required maxlength={1024} autocomplete="off" />
        </label>
        {offersFalsePositive ? (
          <label title="Lifts everything that was done about it, and lets its agent learn from it">
            <input type="checkbox" name="falsePositive" /> A false positive: close the incident too
          </label>
        ) : (
          ''
        )}
        <button type="submit">{`${verb} now`}</button>
      </form>
    </details>
  );
}
