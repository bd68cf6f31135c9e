import type { AgentClass, Beat } from '../agent-class.js';
import { closing, step, type SessionPlan } from '../session-plan.js';

/** Finance operations: checks invoices, pays vendors, books, reports. */
export const finops: AgentClass = {
  name: 'finops',
  size: 8,
  thinkMs: 3_500,
  tools: {
    'invoices.list': 'read',
    'invoices.read': 'read',
    'invoices.match_order': 'read',
    'ledger.read_account': 'read',
    'payments.schedule': 'write',
    'ledger.post_entry': 'write',
    'mail.reply': 'write',
  },
  works: [
    { weight: 5, plan: pay },
    { weight: 3, plan: reconcile },
    { weight: 3, plan: report },
    { weight: 2, plan: openItems },
  ],
};

const MONTHS = 'January February March April May June July August September October November December'.split(' ');
const CENTRES = ['marketing', 'facilities', 'engineering', 'travel', 'legal', 'warehouse', 'training'];

function pay({ names, random }: Beat): SessionPlan {
  const vendor = random.pick(names.vendors);
  const invoice = `INV-${random.int(1_000, 9_999)}`;
  const amount = random.int(12_000, 900_000) / 100;
  const month = random.pick(MONTHS);
  return {
    turns: [
      {
        ask: random.pick([
          `Pay invoice ${invoice} of ${vendor.name} for ${month}.`,
          `${vendor.name} sent ${invoice} (${month}). Check it against the order and schedule the payment.`,
          `Please settle ${invoice}, ${vendor.name}, if it matches the purchase order.`,
        ]),
      },
      step('I will read the invoice.', {
        tool: 'invoices.read',
        args: { invoice },
        result: `${invoice} from ${vendor.name}: ${amount.toFixed(2)} EUR for ${month}, to ${vendor.iban}`,
      }),
      step('Does it match the order?', {
        tool: 'invoices.match_order',
        args: { invoice, vendor: vendor.name },
        result: `matches PO-${random.int(1_000, 9_999)}: ${amount.toFixed(2)} EUR, ${vendor.iban}`,
      }),
      step('It matches; I will schedule the payment.', {
        tool: 'payments.schedule',
        args: { vendor: vendor.name, iban: vendor.iban, amount, reference: invoice },
        result: 'scheduled',
      }),
      closing(`${invoice} is scheduled.`),
    ],
  };
}

function reconcile({ names, random }: Beat): SessionPlan {
  const centre = random.pick(CENTRES);
  const month = random.pick(MONTHS);
  const vendor = random.pick(names.vendors);
  const amount = random.int(500, 40_000) / 100;
  return {
    turns: [
      {
        ask: random.pick([
          `Close ${month} for ${centre}: find what is not booked and book it.`,
          `Reconcile the ${centre} account for ${month}.`,
        ]),
      },
      step('I will read the ledger.', {
        tool: 'ledger.read_account',
        args: { account: centre, month },
        result: `${centre} ${month}: one item open, ${vendor.name}, ${amount.toFixed(2)} EUR`,
      }),
      step('One item is open; I will book it.', {
        tool: 'ledger.post_entry',
        args: { account: centre, amount, description: `${vendor.name} ${month}` },
        result: 'booked',
      }),
      closing(`${centre} is reconciled for ${month}.`),
    ],
  };
}

function report({ names, random }: Beat): SessionPlan {
  const centre = random.pick(CENTRES);
  const month = random.pick(MONTHS);
  const reader = random.pick(names.colleagues.slice(0, 5));
  const total = random.int(1_000, 90_000);
  return {
    turns: [
      {
        ask: random.pick([
          `Send ${reader.name} (${reader.email}) the ${centre} costs of ${month}.`,
          `${reader.name} needs the ${month} figures of ${centre}; mail them to ${reader.email}.`,
        ]),
      },
      step('I will take the figures from the ledger.', {
        tool: 'ledger.read_account',
        args: { account: centre, month },
        result: `${centre} ${month}: total ${total} EUR`,
      }),
      step('I will mail them.', {
        tool: 'mail.reply',
        args: {
          to: reader.email,
          subject: `${centre}, ${month}`,
          body: `Total of ${centre} in ${month}: ${total} EUR`,
        },
        result: 'sent',
      }),
      closing('The figures are sent.'),
    ],
  };
}

function openItems({ names, random }: Beat): SessionPlan {
  const vendor = random.pick(names.vendors);
  return {
    turns: [
      { ask: random.pick([`Which invoices of ${vendor.name} are open?`, `What do we still owe ${vendor.name}?`]) },
      step('I will list them.', {
        tool: 'invoices.list',
        args: { vendor: vendor.name, state: 'open' },
        result: `${random.int(0, 6)} open invoices of ${vendor.name}`,
      }),
      closing('That is the list.'),
    ],
  };
}
