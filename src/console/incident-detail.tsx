import type { PageRequest } from '../api/port.js';
import type { Incident } from '../model/incident.js';
import type { Signal } from '../model/signal.js';
import type { Opened } from './board.js';
import { CommandCard } from './commands.js';
import { explanation } from './explanation.js';
import { Ago, SeverityMark } from './parts.js';
import { RiskBar } from './risk-bar.js';
import { Timeline } from './timeline.js';
import { count, line, name, nats, plural } from './words.js';

const MAX_SIGNALS = 12;

/** One incident with everything that explains it. */
export function IncidentDetail({ opened, may }: { opened: Opened; may: PageRequest['may'] }) {
  const { incident, commands } = opened;
  if (incident === undefined) {
    return (
      <section class="panel detail" id="detail" data-incident={name(opened.id)} tabindex={-1}>
        <h2>This incident is not held any more</h2>
        <p>{`${name(opened.id)} is not among the latest incidents. Older ones are in ClickHouse, table incidents.`}</p>
        <p>
          <a href="#" class="close">
            Close
          </a>
        </p>
      </section>
    );
  }
  return (
    <section class="panel detail" id="detail" data-incident={incident.id} tabindex={-1} aria-labelledby="detail-title">
      <header>
        <h2 id="detail-title">{line(incident.title)}</h2>
        <a href="#" class="close" title="Close this incident's details">
          Close
        </a>
      </header>
      <p class="facts">
        <SeverityMark severity={incident.severity} />
        <span class={`status ${incident.status}`}>{incident.status}</span>
        <span class="agent">{name(incident.agentId)}</span>
        <span>
          opened <Ago time={incident.openedAt} />
        </span>
        <code>{name(incident.id)}</code>
      </p>
      <div class="explanation">
        {explanation(incident, commands).map((sentence) => (
          <p>{sentence}</p>
        ))}
      </div>
      {may.judge && incident.status !== 'closed' ? <VerdictForm incident={incident} /> : ''}
      <h3>What happened</h3>
      <Timeline incident={incident} commands={commands} />
      <h3>How the risk adds up</h3>
      <RiskBar incident={incident} />
      <h3>What was observed, and what is normal</h3>
      <Signals signals={incident.signals} />
      <h3>What was done</h3>
      {commands.length === 0 ? (
        <p class="note">No command was given.</p>
      ) : (
        <ul class="commands">
          {commands.map((command) => (
            <CommandCard command={command} may={may} at="own" />
          ))}
        </ul>
      )}
    </section>
  );
}

function VerdictForm({ incident }: { incident: Incident }) {
  return (
    <form class="verdict" data-post={`/v1/incidents/${encodeURIComponent(incident.id)}/verdict`}>
      <span>What was it?</span>
      <button type="submit" name="verdict" value="true-positive">
        True positive
      </button>
      <button type="submit" name="verdict" value="false-positive" title="Also lifts what was done because of it">
        False positive
      </button>
      <label>
        Note <input name="note" maxlength={1024} autocomplete="off" />
      </label>
    </form>
  );
}

function Signals({ signals }: { signals: readonly Signal[] }) {
  const weight = (signal: Signal) => (signal.violation ? Number.POSITIVE_INFINITY : signal.nats);
  const strongest = [...signals].sort((a, b) => (weight(b) > weight(a) ? 1 : weight(b) < weight(a) ? -1 : 0));
  if (signals.length === 0) return <p class="note">No signal is kept; the risk came from the call as a whole.</p>;
  return (
    <>
      <ul class="signals">
        {strongest.slice(0, MAX_SIGNALS).map((signal) => (
          <li>
            <p class="reason">
              {line(signal.reason)} {signal.shadow ? <em class="shadow">in shadow: not counted</em> : ''}
            </p>
            <dl>
              <div>
                <dt>observed</dt>
                <dd>{line(signal.observed)}</dd>
              </div>
              <div>
                <dt>expected</dt>
                <dd>{line(signal.expected)}</dd>
              </div>
            </dl>
            <p class="meta">
              {strength(signal)} {name(signal.detectorId)}, {signal.streams.join(' and ')} stream
              {signal.streams.length === 1 ? '' : 's'}
              {signal.baselineVersion > 0 ? `, baseline version ${count(signal.baselineVersion)}` : ''}
              {signal.tags.length > 0 ? `, ${name(signal.tags.slice(0, 4).join(' '))}` : ''}
            </p>
          </li>
        ))}
      </ul>
      {signals.length > MAX_SIGNALS ? <p class="rest">{`and ${signals.length - MAX_SIGNALS} weaker ones`}</p> : ''}
    </>
  );
}

function strength({ violation, pValue, sampleSize, nats: own, ingredient }: Signal): string {
  if (violation) return 'A broken rule.';
  const part = ingredient ? 'part of the call’s risk' : `${nats(own)} nats`;
  if (sampleSize === 0) return `A fixed weight, ${part}.`;
  const rare = pValue >= 0.01 ? `${(100 * pValue).toFixed(0)} %` : `1 in ${count(1 / Math.max(pValue, 1e-9))}`;
  return `Expected in ${rare}, by ${plural(sampleSize, 'sample')}; ${part}.`;
}
