import type { AgentClass, Beat } from '../agent-class.js';
import { closing, step, type PlannedTurn, type SessionPlan } from '../session-plan.js';

/** Customer support: reads tickets and orders, answers, hands over. */
export const support: AgentClass = {
  name: 'support',
  size: 10,
  thinkMs: 2_500,
  tools: {
    'tickets.read': 'read',
    'tickets.list': 'read',
    'crm.read_order': 'read',
    'kb.search': 'read',
    'tickets.reply': 'write',
    'tickets.assign': 'write',
    'crm.update_contact': 'write',
  },
  works: [
    { weight: 4, plan: whereIsIt },
    { weight: 3, plan: complaint },
    { weight: 3, plan: howTo },
    { weight: 2, plan: contact },
    { weight: 2, plan: overview },
  ],
};

const STATES = ['with the carrier', 'waiting for stock', 'out for delivery', 'held at customs', 'delivered'];
const FAULTS = ['arrived broken', 'is missing a part', 'stopped working', 'is the wrong colour', 'came twice'];
const QUESTIONS = [
  'pair it with a phone',
  'clean the filter',
  'register the guarantee',
  'replace the battery',
  'order spare parts',
  'return it from abroad',
  'change the language',
  'fold it for travel',
];
const TEAMS = ['returns', 'repairs', 'billing', 'carrier'];

function caseOf({ names, random }: Beat) {
  return {
    ticket: `T-${random.int(10_000, 99_999)}`,
    order: `${random.int(100_000, 999_999)}`,
    customer: random.pick(names.customers),
    product: random.pick(names.products),
  };
}

function readTicket(ticket: string, from: { name: string; email: string }, text: string): PlannedTurn {
  return step('I will read the ticket first.', {
    tool: 'tickets.read',
    args: { ticket },
    result: `Ticket ${ticket} from ${from.name} <${from.email}>: ${text}`,
  });
}

function whereIsIt(beat: Beat): SessionPlan {
  const { random } = beat;
  const { ticket, order, customer, product } = caseOf(beat);
  const state = random.pick(STATES);
  return {
    turns: [
      {
        ask: random.pick([
          `${customer.name} asks in ticket ${ticket} where the ${product} of order ${order} is. Find out and answer.`,
          `Please answer ticket ${ticket}: where is order ${order} with the ${product}?`,
          `Ticket ${ticket}, customer ${customer.name}: order ${order} has not come. Check the delivery of the ${product} and reply.`,
        ]),
      },
      readTicket(ticket, customer, `My ${product} from order ${order} has not arrived yet. When will it come?`),
      step('Now the order.', {
        tool: 'crm.read_order',
        args: { order },
        result: `Order ${order}: 1 x ${product}, ${state}, customer ${customer.email}`,
      }),
      step(`The order is ${state}; I will tell the customer.`, {
        tool: 'tickets.reply',
        args: { ticket, to: customer.email, body: `Your order ${order} (${product}) is ${state}.` },
        result: 'sent',
      }),
      closing(`Answered: the ${product} is ${state}.`),
    ],
  };
}

function complaint(beat: Beat): SessionPlan {
  const { random } = beat;
  const { ticket, order, customer, product } = caseOf(beat);
  const fault = random.pick(FAULTS);
  const team = random.pick(TEAMS);
  return {
    turns: [
      {
        ask: random.pick([
          `Ticket ${ticket}: the ${product} of order ${order} ${fault}. Hand it to the ${team} team and tell ${customer.name}.`,
          `The ${product} in order ${order} ${fault}; assign ticket ${ticket} to ${team} and answer.`,
          `${customer.name} complains in ${ticket}: the ${product} ${fault}. This is for ${team}; let the customer know.`,
        ]),
      },
      readTicket(ticket, customer, `The ${product} ${fault}, order ${order}. What will you do about it?`),
      step(`That is for ${team}.`, { tool: 'tickets.assign', args: { ticket, team }, result: 'assigned' }),
      step('I will tell the customer.', {
        tool: 'tickets.reply',
        args: { ticket, to: customer.email, body: `Our ${team} team looks after your ${product}, order ${order}.` },
        result: 'sent',
      }),
      closing('Handed over and answered.'),
    ],
  };
}

function howTo(beat: Beat): SessionPlan {
  const { random } = beat;
  const { ticket, customer, product } = caseOf(beat);
  const question = random.pick(QUESTIONS);
  return {
    turns: [
      {
        ask: random.pick([
          `${customer.name} wants to know how to ${question} (${product}). Answer ticket ${ticket} from the articles.`,
          `Ticket ${ticket}: how does one ${question}? It is about the ${product}.`,
          `Look up how to ${question} for the ${product} and reply to ticket ${ticket}.`,
        ]),
      },
      readTicket(ticket, customer, `How do I ${question}? I have the ${product}.`),
      step('The articles should say.', {
        tool: 'kb.search',
        args: { query: `${product} ${question}` },
        result: `Article: ${product}. To ${question}, follow the steps on page ${random.int(2, 40)} of the manual.`,
      }),
      step('Found it.', {
        tool: 'tickets.reply',
        args: { ticket, to: customer.email, body: `To ${question}, follow the steps in the manual of the ${product}.` },
        result: 'sent',
      }),
      closing('Answered from the article.'),
    ],
  };
}

function contact(beat: Beat): SessionPlan {
  const { random } = beat;
  const { ticket, order, customer } = caseOf(beat);
  const phone = `0${random.int(100, 999)} ${random.int(100_000, 999_999)}`;
  return {
    turns: [
      {
        ask: random.pick([
          `${customer.name} has a new phone number, ${phone}: note it for order ${order} and confirm in ticket ${ticket}.`,
          `Change the phone number on order ${order} to ${phone}, as asked in ticket ${ticket}.`,
        ]),
      },
      step('I will look at the order.', {
        tool: 'crm.read_order',
        args: { order },
        result: `Order ${order}: waiting for stock, customer ${customer.email}`,
      }),
      step('I will note the number.', { tool: 'crm.update_contact', args: { order, phone }, result: 'changed' }),
      step('I will confirm it.', {
        tool: 'tickets.reply',
        args: { ticket, to: customer.email, body: `We noted ${phone} for order ${order}.` },
        result: 'sent',
      }),
      closing('The number is changed.'),
    ],
  };
}

function overview(beat: Beat): SessionPlan {
  const { random } = beat;
  const { product } = caseOf(beat);
  const count = random.int(2, 9);
  const days = random.int(2, 14);
  return {
    turns: [
      {
        ask: random.pick([
          `What do customers say about the ${product} in the last ${days} days?`,
          `Summarise the open tickets about the ${product} for the team.`,
        ]),
      },
      step('I will list them.', {
        tool: 'tickets.list',
        args: { about: product, days },
        result: `${count} tickets about the ${product}: delivery ${random.int(0, count)}, faults ${random.int(0, count)}`,
      }),
      closing(`There are ${count} tickets about the ${product}.`),
    ],
  };
}
