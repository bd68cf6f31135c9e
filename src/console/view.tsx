import type { PageRequest } from '../api/port.js';
import { INCIDENT_STATUSES } from '../model/incident.js';
import { STREAMS } from '../model/observation.js';
import type { AgentRow, Board } from './board.js';
import { CommandCard } from './commands.js';
import { HoldCard } from './held-calls.js';
import { IncidentDetail } from './incident-detail.js';
import { Ago, Rest, SeverityMark } from './parts.js';
import type { ConsoleHealth } from './port.js';
import { count, hasThreshold, line, name, nats, plural } from './words.js';

/** A stream on which nothing came for so long is called silent, ms. */
const SILENT_MS = 60_000;
/** Fewer records waiting than this is keeping up. */
const FEW = 500;

interface ViewProps {
  board: Board;
  request: PageRequest;
  /** Marks the files of the page: a page of an older build loads itself anew. */
  build: string;
}

/** Everything on the page that changes. */
export function View({ board, request, build }: ViewProps) {
  return (
    <div id="view" data-build={build}>
      <Head board={board} request={request} />
      <main class={board.opened === undefined ? '' : 'with-detail'}>
        <Incidents board={board} request={request} />
        {board.opened === undefined ? '' : <IncidentDetail opened={board.opened} may={request.may} />}
        <Containments board={board} request={request} />
        <Agents board={board} />
      </main>
    </div>
  );
}

function Head({ board, request }: { board: Board; request: PageRequest }) {
  const { health, heard, now } = board;
  const { id, role, tenant } = request.principal;
  return (
    <header class="top">
      <h1>
        <img src="/icon.svg" width="22" height="22" alt="" /> Parallax
      </h1>
      <p class={`mode ${health.mode}`}>
        <strong>{health.mode}</strong>
        <span>{health.mode === 'act' ? 'commands are sent to gateways' : 'nothing is enforced, only noted'}</span>
      </p>
      <ul class="streams" aria-label="Streams">
        {STREAMS.map((stream) => {
          const at = heard[stream];
          const state = at === 0 ? 'unheard' : now - at > SILENT_MS ? 'silent' : 'heard';
          return (
            <li class={`${stream} ${state}`}>
              <svg width="10" height="10" aria-hidden="true">
                {state === 'heard' ? <circle cx="5" cy="5" r="5" /> : <circle cx="5" cy="5" r="4" class="hollow" />}
              </svg>
              {stream}{' '}
              <span class="since">
                {state === 'unheard' ? (
                  'not heard yet'
                ) : (
                  <>
                    {state === 'silent' ? 'silent, last ' : ''}
                    <Ago time={at} />
                  </>
                )}
              </span>
            </li>
          );
        })}
      </ul>
      <p class="lag">
        {scoringWords(health)} <StoreWords health={health} />
      </p>
      <p class="who">
        {name(id)} ({role}
        {tenant === 'default' ? '' : `, ${name(tenant)}`}){' '}
        <button type="button" data-logout>
          Sign out
        </button>
      </p>
    </header>
  );
}

function scoringWords({ scoringBacklog }: ConsoleHealth): string {
  return scoringBacklog < FEW ? 'Scoring keeps up.' : `Scoring is ${count(scoringBacklog)} records behind.`;
}

function StoreWords({ health: { storeBacklog, storeFailingSince } }: { health: ConsoleHealth }) {
  if (storeBacklog === undefined) return <span class="bad">ClickHouse is not open yet.</span>;
  if (storeFailingSince !== undefined) {
    return (
      <span class="bad">
        ClickHouse cannot be written since <Ago time={storeFailingSince} />: {plural(storeBacklog, 'record')} waiting,
        nothing is lost.
      </span>
    );
  }
  return (
    <span>{storeBacklog < FEW ? 'The store keeps up.' : `The store is ${plural(storeBacklog, 'record')} behind.`}</span>
  );
}

function Incidents({ board, request }: { board: Board; request: PageRequest }) {
  const { incidents, openIncidents, opened } = board;
  return (
    <section class="panel incidents" aria-labelledby="incidents-title">
      <h2 id="incidents-title">
        Incidents <span class="count">{openIncidents === 0 ? 'none open' : `${count(openIncidents)} open`}</span>
      </h2>
      <form class="filter" role="search" action="/" method="get" data-keep>
        <label>
          Agent <input name="agent" type="search" value={request.agent} maxlength={256} autocomplete="off" />
        </label>
        <label>
          Status{' '}
          <select name="status">
            <option value="">all</option>
            {INCIDENT_STATUSES.map((status) => (
              <option value={status} selected={request.status === status}>
                {status}
              </option>
            ))}
          </select>
        </label>
      </form>
      {incidents.total === 0 ? <p class="note">No incident matches. All is calm.</p> : ''}
      <ul class="rows">
        {incidents.items.map((incident) => (
          <li id={`row-${incident.id}`}>
            <a
              href={`#${encodeURIComponent(incident.id)}`}
              class={incident.status}
              aria-current={opened?.id === incident.id ? 'true' : undefined}
            >
              <span class="first">
                <SeverityMark severity={incident.severity} />
                <span class={`status ${incident.status}`}>{incident.status}</span>
                <Ago time={incident.openedAt} />
              </span>
              <span class="title">{line(incident.title)}</span>
              <span class="agent">{name(incident.agentId)}</span>
            </a>
          </li>
        ))}
      </ul>
      <Rest shown={incidents.items.length} total={incidents.total} what="incidents" />
    </section>
  );
}

function Containments({ board, request }: { board: Board; request: PageRequest }) {
  const { commands, holds } = board;
  return (
    <section class="panel containments" aria-labelledby="containments-title">
      {holds.total === 0 ? (
        ''
      ) : (
        <>
          <h2>
            Held calls <span class="count">{`${count(holds.total)} waiting for a person`}</span>
          </h2>
          <ul class="commands held" id="held">
            {holds.items.map((hold) => (
              <HoldCard hold={hold} request={request} />
            ))}
          </ul>
          <Rest shown={holds.items.length} total={holds.total} what="held calls" />
        </>
      )}
      <h2 id="containments-title">Containments</h2>
      {commands.total === 0 ? <p class="note">Nobody is contained.</p> : ''}
      <ul class="commands">
        {commands.items.map((command) => (
          <CommandCard command={command} may={request.may} at="all" />
        ))}
      </ul>
      <Rest shown={commands.items.length} total={commands.total} what="commands" />
    </section>
  );
}

function Agents({ board: { agents } }: { board: Board }) {
  return (
    <section class="panel agents" aria-labelledby="agents-title">
      <h2 id="agents-title">
        Agents by risk <span class="count">{count(agents.total)}</span>
      </h2>
      {agents.total === 0 ? <p class="note">No agent was heard since the start.</p> : ''}
      <ul class="rows">
        {agents.items.map((row) => (
          <AgentLine row={row} />
        ))}
      </ul>
      <Rest shown={agents.items.length} total={agents.total} what="agents" />
    </section>
  );
}

function AgentLine({ row }: { row: AgentRow }) {
  const { agentId, agentClass, riskNats, thresholdNats, openIncidents, restricted, heardAt } = row;
  const hasClass = agentClass !== undefined && agentClass !== 'default';
  const isKnown = hasThreshold(thresholdNats) && thresholdNats > 0;
  const share = isKnown ? Math.min(Math.max(riskNats / (1.5 * thresholdNats), 0), 1) : 0;
  return (
    <li class="agent-line">
      <span class="agent">
        {name(agentId)} {hasClass ? <span class="class">{name(agentClass)}</span> : ''}
      </span>
      <span class="risk">
        <svg width="100%" height="10" aria-hidden="true">
          <rect x="0" y="2" width="100%" height="6" rx="3" class="track" />
          <rect
            x="0"
            y="2"
            width={`${(100 * share).toFixed(1)}%`}
            height="6"
            rx="3"
            class={riskNats > thresholdNats ? 'over' : 'under'}
          />
          {isKnown ? <rect x="66.67%" y="0" width="2" height="10" class="limit" /> : ''}
        </svg>
        <span class="figure">
          {isKnown ? `${nats(Math.max(0, riskNats))} of ${nats(thresholdNats)} nats` : 'still learning'}
        </span>
      </span>
      <span class="notes">
        {openIncidents > 0 ? <span class="flag open">{plural(openIncidents, 'open incident')}</span> : ''}
        {restricted.map((word) => (
          <span class="flag restricted">{word}</span>
        ))}
        {heardAt > 0 ? (
          <span class="meta">
            heard <Ago time={heardAt} />
          </span>
        ) : (
          ''
        )}
      </span>
    </li>
  );
}
