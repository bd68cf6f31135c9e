import type { PageRequest } from '../api/port.js';
import type { Command } from '../model/command.js';
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
      <p class={`state ${acknowledgements.length === 0 ? 'unconfirmed' : ''}`}>{stateOf(command)}</p>
      {acknowledgements.slice(0, MAX_ANSWERS).map((answer) => (
        <p class={`answer ${answer.effective}`}>
          {confirmation(answer)} <Ago time={answer.time} />
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
        <Act path={`/v1/commands/${encodeURIComponent(id)}/lift`} id={`${at}-lift-${id}`} verb="Lift" />
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

/** A button that first asks why: nothing happens by one slip of the hand. */
function Act({ path, id, verb }: { path: string; id: string; verb: string }) {
  return (
    <details class="act" id={id}>
      <summary>{verb}</summary>
      <form data-post={path}>
        <label>
          Why? <input name="reason" required maxlength={1024} autocomplete="off" />
        </label>
        <button type="submit">{`${verb} now`}</button>
      </form>
    </details>
  );
}
