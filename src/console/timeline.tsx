import { clockTime, dayTime } from '../lib/utc-text.js';
import type { Command } from '../model/command.js';
import type { Incident } from '../model/incident.js';
import { STREAMS } from '../model/observation.js';
import { timelineLayout, type Mark } from '../model/timeline-layout.js';
import { line, ownActs } from './words.js';

const LANE_PX = 38;
const TOP_PX = 22;
const LANES = [...STREAMS, 'parallax'] as const;
const HEIGHT_PX = TOP_PX + LANE_PX * LANES.length;
/** Marks closer than this share of the width would cover each other on a wide page. */
const TOO_CLOSE = 0.022;

/** Four streams and the observer's own acts, each in a lane of its own, at their time. */
export function Timeline({ incident, commands }: { incident: Incident; commands: readonly Command[] }) {
  const layout = timelineLayout(incident, {
    lanes: LANES,
    more: ownActs(incident, commands),
    tooClose: TOO_CLOSE,
  });
  const place = (at: number) => `${(2.5 + 95 * at).toFixed(2)}%`;
  const marks = layout.lanes.flatMap((lane) => lane.marks).sort((a, b) => a.entry.time - b.entry.time);
  return (
    <div class="timeline">
      <div class="lanes">
        <div class="lane-names" aria-hidden="true">
          {LANES.map((lane) => (
            <span class={lane}>{lane}</span>
          ))}
        </div>
        <svg class="picture" width="100%" height={HEIGHT_PX} role="group" aria-label="Timeline of the incident">
          {LANES.map((lane, i) => (
            <>
              {i % 2 === 0 ? <rect x="0" y={TOP_PX + i * LANE_PX} width="100%" height={LANE_PX} class="band" /> : ''}
              <line x1="0" x2="100%" y1={middleOf(i)} y2={middleOf(i)} class={`rail ${lane}`} />
            </>
          ))}
          {layout.breaks.map(({ at, ms }) => (
            <svg x={place(at)} overflow="visible" class="pause">
              <line x1="-14" x2="-14" y1={TOP_PX} y2={HEIGHT_PX} />
              <text x="-14" y={TOP_PX - 6} text-anchor={at > 0.5 ? 'end' : 'middle'}>
                {`${duration(ms)} later`}
              </text>
            </svg>
          ))}
          <svg x={place(layout.openedAt)} overflow="visible" class="opened">
            <line y1={TOP_PX - 4} y2={HEIGHT_PX} />
            <text y={TOP_PX - 8} text-anchor={layout.openedAt > 0.85 ? 'end' : 'middle'}>
              incident
            </text>
          </svg>
          {layout.lanes.map(({ stream, marks: own }, i) =>
            own.map((mark) => (
              <svg
                x={place(mark.at)}
                y={middleOf(i) + 7 * mark.shift}
                overflow="visible"
                class={`mark ${stream}${mark.isDecisive ? ' decisive' : ''}`}
                tabindex="0"
                role="img"
                aria-label={spoken(mark)}
                data-says={spoken(mark)}
              >
                <title>{spoken(mark)}</title>
                {shapeOf(mark)}
              </svg>
            )),
          )}
        </svg>
        <div class="span">
          <span>{dayTime(layout.fromMs)}</span>
          <span>{clockTime(layout.toMs)} UTC</span>
        </div>
      </div>
      <p id="says" class="says" data-keep aria-live="polite">
        Point at a mark, or move to it with the Tab key, to read what it is.
      </p>
      <p class="key" aria-hidden="true">
        <svg width="16" height="16">
          <svg x="8" y="8" overflow="visible" class="mark action decisive">
            <path d="M0,-8 L8,0 L0,8 L-8,0 Z" class="ring" />
            <path d="M0,-4.5 L4.5,0 L0,4.5 L-4.5,0 Z" />
          </svg>
        </svg>
        the decisive call
        <svg width="16" height="16">
          <svg x="8" y="8" overflow="visible" class="mark reasoning">
            <circle r="7.5" class="ring" />
            <circle r="4" />
          </svg>
        </svg>
        a signal rests on it
      </p>
      <details id="events">
        <summary>{`All ${marks.length} events as a list`}</summary>
        <ol class="events">
          {marks.map((mark) => (
            <li class={mark.isDecisive ? 'decisive' : ''}>
              <span class="at">{clockTime(mark.entry.time)}</span>
              <span class={`lane ${mark.entry.stream}`}>{mark.entry.stream}</span>
              <span class="text">
                {line(mark.entry.text)}
                {noteOf(mark)}
              </span>
            </li>
          ))}
        </ol>
      </details>
    </div>
  );
}

function shapeOf({ isDecisive, isEvidence, entry }: Mark) {
  if (isDecisive) {
    return (
      <>
        <path d="M0,-13 L13,0 L0,13 L-13,0 Z" class="ring" />
        <path d="M0,-7.5 L7.5,0 L0,7.5 L-7.5,0 Z" />
      </>
    );
  }
  if (entry.stream === 'parallax') return <rect x="-5" y="-5" width="10" height="10" rx="2" />;
  return (
    <>
      {isEvidence ? <circle r="9.5" class="ring" /> : ''}
      <circle r="5" />
    </>
  );
}

function noteOf({ isDecisive, isEvidence }: Mark): string {
  return isDecisive ? ' (the decisive call)' : isEvidence ? ' (a signal rests on it)' : '';
}

function spoken(mark: Mark): string {
  return `${clockTime(mark.entry.time)} ${mark.entry.stream}: ${line(mark.entry.text)}${noteOf(mark)}`;
}

function middleOf(lane: number): number {
  return TOP_PX + lane * LANE_PX + LANE_PX / 2;
}

function duration(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const;
  const [unit, size] = units.find(([, size]) => ms >= 2 * size) ?? ['s', 1_000];
  return `${Math.round(ms / size)} ${unit}`;
}
