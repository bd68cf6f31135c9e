import type { AgentClass, Beat } from '../agent-class.js';
import { closing, step, type PlannedTurn, type SessionPlan } from '../session-plan.js';

/** Infrastructure remediation: reads alerts and measurements, follows run books, restarts and scales. */
export const infra: AgentClass = {
  name: 'infra',
  size: 8,
  thinkMs: 2_000,
  tools: {
    'alerts.read': 'read',
    'cluster.read_metrics': 'read',
    'runbooks.read': 'read',
    'cluster.restart_service': 'write',
    'cluster.scale': 'write',
    'alerts.close': 'write',
    'alerts.comment': 'write',
  },
  works: [
    { weight: 4, plan: restart },
    { weight: 3, plan: scale },
    { weight: 3, plan: look },
    { weight: 2, plan: falseAlert },
  ],
};

const SYMPTOMS = ['high latency', 'many errors', 'a full queue', 'memory growth', 'slow start', 'failed probes'];
const CHANNELS = ['ops-main', 'ops-night'];

function alertOf({ names, random }: Beat) {
  return {
    alert: `AL-${random.int(1_000, 9_999)}`,
    service: random.pick(names.services),
    symptom: random.pick(SYMPTOMS),
    channel: random.pick(CHANNELS),
  };
}

type Alert = ReturnType<typeof alertOf>;

function looks(random: Beat['random'], { alert, service, symptom }: Alert): PlannedTurn[] {
  return [
    step('I will read the alert.', {
      tool: 'alerts.read',
      args: { alert },
      result: `${alert}: ${service} has ${symptom} since ${random.int(3, 40)} minutes`,
    }),
    step('What do the measurements say?', {
      tool: 'cluster.read_metrics',
      args: { service, metric: symptom },
      result: `${service}: ${symptom}, ${random.int(2, 30)} times the usual`,
    }),
  ];
}

function restart(beat: Beat): SessionPlan {
  const { random } = beat;
  const a = alertOf(beat);
  return {
    turns: [
      {
        ask: random.pick([
          `Alert ${a.alert}: ${a.service} has ${a.symptom}. Follow the run book.`,
          `${a.service} shows ${a.symptom} (${a.alert}); bring it back.`,
        ]),
      },
      ...looks(random, a),
      step('The run book?', {
        tool: 'runbooks.read',
        args: { service: a.service, symptom: a.symptom },
        result: `With ${a.symptom}: restart one instance of ${a.service}, then watch.`,
      }),
      step('It says restart.', {
        tool: 'cluster.restart_service',
        args: { service: a.service, instances: 1 },
        result: 'restarted',
      }),
      step('I will report it.', {
        tool: 'alerts.comment',
        args: { channel: a.channel, message: `${a.service} restarted because of ${a.symptom}` },
        result: 'posted',
      }),
      closing(`${a.service} is back.`),
    ],
  };
}

function scale(beat: Beat): SessionPlan {
  const { random } = beat;
  const a = alertOf(beat);
  const instances = random.int(3, 12);
  return {
    turns: [
      {
        ask: random.pick([
          `Scale ${a.service} to ${instances} instances: ${a.symptom} (${a.alert}).`,
          `${a.alert}: ${a.service} needs ${instances} instances because of ${a.symptom}.`,
        ]),
      },
      ...looks(random, a),
      step('I will scale it.', { tool: 'cluster.scale', args: { service: a.service, instances }, result: 'scaling' }),
      step('I will close the alert.', { tool: 'alerts.close', args: { alert: a.alert }, result: 'closed' }),
      closing(`${a.service} runs with ${instances} instances.`),
    ],
  };
}

function look(beat: Beat): SessionPlan {
  const { random } = beat;
  const a = alertOf(beat);
  return {
    turns: [
      {
        ask: random.pick([
          `Is ${a.service} healthy?`,
          `Why does ${a.service} have ${a.symptom}?`,
          `Have a look at ${a.alert} on ${a.service}.`,
        ]),
      },
      ...looks(random, a),
      closing(`${a.service} has ${a.symptom}, and is recovering.`),
    ],
  };
}

function falseAlert(beat: Beat): SessionPlan {
  const { random } = beat;
  const a = alertOf(beat);
  return {
    turns: [
      {
        ask: random.pick([
          `Close ${a.alert} on ${a.service} if it was a false alarm.`,
          `${a.alert} looks wrong; check ${a.service} and close it.`,
        ]),
      },
      ...looks(random, a),
      step('It was a false alarm.', { tool: 'alerts.close', args: { alert: a.alert }, result: 'closed' }),
      closing('Closed.'),
    ],
  };
}
