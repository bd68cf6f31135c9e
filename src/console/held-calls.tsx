import type { PageRequest } from '../api/port.js';
import { mayDecideHold, type Hold } from '../model/hold.js';
import { Act } from './commands.js';
import { Ago, Until } from './parts.js';
import { line, name } from './words.js';

/** One held call: who asks for what and why it is held, and what a person may do about it. */
export function HoldCard({ hold, request }: { hold: Hold; request: PageRequest }) {
  const { id, agentId, sessionId, tool, summary, reason, gatewayId, heldAt, expiresAt, onTimeout, incidentId } = hold;
  const path = `/v1/approvals/${encodeURIComponent(id)}`;
  return (
    <li class="command waiting" id={`hold-${id}`} data-hold={id}>
      <p class="what">
        <strong>{`Call ${name(tool)}`}</strong>
        <span class="agent">{name(agentId)}</span>
      </p>
      <p class="summary">{line(summary)}</p>
      <p class="reason">{line(reason)}</p>
      <p class="meta">
        session {name(sessionId)}, asked by {name(gatewayId)} <Ago time={heldAt} />;{' '}
        {onTimeout === 'allow' ? 'passes by itself' : 'refused'} <Until time={expiresAt} />
        {incidentId === undefined ? (
          ''
        ) : (
          <>
            {' '}
            <a href={`#${encodeURIComponent(incidentId)}`}>The incident</a>
          </>
        )}
      </p>
      {request.may.contain && mayDecideHold(hold, request.principal.id) ? (
        <div class="acts">
          <Act path={`${path}/approve`} id={`approve-${id}`} verb="Approve" />
          <Act path={`${path}/reject`} id={`reject-${id}`} verb="Reject" />
        </div>
      ) : (
        ''
      )}
    </li>
  );
}
