import type { Random } from './random.js';

/** People, firms and things of one world; a seed takes a part of each. */
export interface Names {
  customers: Person[];
  colleagues: Person[];
  vendors: Vendor[];
  products: string[];
  services: string[];
  repositories: string[];
  tables: string[];
  regions: string[];
  company: string;
}

export interface Person {
  name: string;
  email: string;
}

export interface Vendor {
  name: string;
  iban: string;
}

const FIRST =
  'Ada Amir Anna Ben Bruno Carla Chen Clara Daan Diego Elif Emma Erik Fatou Felix Greta Hana Hugo Ines Ivan Jana Jonas Kaito Kira Lars Leila Lena Luca Maja Marco Mei Mila Nadia Nils Noor Olga Omar Paula Pedro Priya Rania Rosa Samir Sara Sofia Tariq Tessa Tom Uma Viktor Wanda Yara Yusuf Zoe'.split(
    ' ',
  );
const LAST =
  'Abebe Andersen Bakker Bianchi Castro Costa Dubois Eriksen Fischer Garcia Haddad Hansen Ito Jansen Kaya Keller Kowalski Larsen Lehmann Lopez Martin Meyer Moreau Nakamura Novak Okafor Olsen Peeters Petrov Rossi Sato Schmidt Silva Singh Sousa Tanaka Varga Visser Wagner Weber Yilmaz Zhang'.split(
    ' ',
  );
const FIRMS =
  'Alder Birchwood Cobalt Delta Ember Fjord Granite Harbour Iris Juniper Kestrel Linden Maple Northwind Orchid Pinnacle Quarry Ridge Sable Tundra Umber Vertex Willow Zephyr'.split(
    ' ',
  );
const TRADES = ['Logistics', 'Paper', 'Energy', 'Catering', 'Cloud', 'Freight', 'Print', 'Security', 'Media', 'Tools'];
const PRODUCTS =
  'kettle,toaster,desk lamp,headset,keyboard,backpack,tent,water filter,coffee grinder,office chair,blender,monitor,router,bike light,air fryer,rain jacket'.split(
    ',',
  );
const SERVICES =
  'checkout,search,catalog,payments,login,invoicing,shipping,recommendations,media,notifications,cart,pricing'.split(
    ',',
  );
const REPOSITORIES =
  'web-shop,checkout-api,catalog-sync,mobile-app,billing-core,warehouse-ui,search-indexer,partner-portal,email-renderer,fraud-rules'.split(
    ',',
  );
const TABLES = 'orders,returns,page_views,subscriptions,shipments,campaigns,refunds,sessions,inventory,reviews'.split(
  ',',
);
const REGIONS = ['north', 'south', 'east', 'west', 'central', 'islands'];
const COMPANIES = ['brightcart', 'oakandpine', 'lumenstore', 'harbourline', 'papercrane'];

/** The names of the world that a seed makes. */
export function makeNames(random: Random): Names {
  const company = random.pick(COMPANIES);
  const person = (domain: string): Person => {
    const [first, last] = [random.pick(FIRST), random.pick(LAST)];
    return { name: `${first} ${last}`, email: `${first}.${last}@${domain}`.toLowerCase() };
  };
  const mailHosts = ['mailbox.example', 'postfach.example', 'inbox.example', 'courrier.example'];
  return {
    company,
    customers: Array.from({ length: 90 }, () => person(random.pick(mailHosts))),
    colleagues: Array.from({ length: 14 }, () => person(`${company}.example`)),
    vendors: random.some(FIRMS, 16).map((firm) => ({ name: `${firm} ${random.pick(TRADES)}`, iban: makeIban(random) })),
    products: random.some(PRODUCTS, 12),
    services: random.some(SERVICES, 9),
    repositories: random.some(REPOSITORIES, 8),
    tables: random.some(TABLES, 8),
    regions: random.some(REGIONS, 5),
  };
}

/** A German account number with right check digits (ISO 7064 mod 97-10). */
export function makeIban(random: Random): string {
  const account = `${random.int(10_000_000, 99_999_999)}${String(random.int(0, 9_999_999_999)).padStart(10, '0')}`;
  const check = 98n - (BigInt(`${account}131400`) % 97n);
  return `DE${String(check).padStart(2, '0')}${account}`;
}
